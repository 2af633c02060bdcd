import type { createClient, RedisClientOptions } from "redis"
import { reconnectDelay } from "./reconnect-delay.ts"

/** The driver's function that creates one connection. */
export type CreateRedisClient = typeof createClient
/** One connection of the driver. */
export type RedisClient = ReturnType<CreateRedisClient>

/** What a server says about itself. */
export interface RedisHello {
  /** `undefined` if the server does not say. */
  readonly isPrimary: boolean | undefined
  /** The major version; 0 if the server does not say. */
  readonly version: number
}

/** An error that the server sent begins with a code. Errors of the connection do not. */
const SERVER_ERROR = /^[A-Z]{3,}\b/

/** The codes of errors after which another server, or the same one a moment later, may accept the command. */
const TEMPORARY = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|LOADING|READONLY|NOAUTH|BUSY)\b/

/** Returns whether an error means that the server refuses a command for good, because it does not allow or know it. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && SERVER_ERROR.test(error.message) && !TEMPORARY.test(error.message)
}

/** Returns the options of one connection: those of the caller, except for what this engine does itself. */
export function connectionOptions(options: RedisClientOptions): RedisClientOptions {
  return {
    ...options,
    // The driver's own queue has no bound.
    disableOfflineQueue: true,
    pingInterval: undefined,
    clientSideCache: undefined,
    // By default the driver creates an abort signal and a timer for every command.
    commandOptions: { timeout: undefined },
    socket: {
      ...options.socket,
      socketTimeout: undefined,
      reconnectStrategy: (attempt: number) => reconnectDelay(attempt, Math.random()),
    },
  } as object
}

/** Asks a server for its role. A server that does not know the command, or does not allow it, has answered, too. */
export async function helloOf(client: RedisClient): Promise<RedisHello> {
  const answer: unknown = await client.sendCommand(["HELLO"]).catch((error: unknown) => {
    if (isRefusal(error)) return {}
    throw error
  })
  const fields = fieldsOf(answer)
  const role = fields.get("role")
  return {
    isPrimary: role === undefined ? undefined : role === "master",
    version: Number.parseInt(fields.get("version") ?? "0", 10) || 0,
  }
}

/** Returns the fields of an answer: an object in RESP3, a list of names and values in RESP2. */
function fieldsOf(answer: unknown): Map<string, string> {
  const pairs: readonly (readonly unknown[])[] = Array.isArray(answer)
    ? answer.flatMap((name: unknown, at) => (at % 2 === 0 ? [[name, answer[at + 1]]] : []))
    : Object.entries(answer ?? {})
  return new Map(pairs.map(([name, value]) => [String(name), String(value)]))
}
