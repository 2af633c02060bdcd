import { checkOrigins } from "../server/admission/origins.ts"
import { ConfigError } from "../error.ts"
import { quote } from "../quote.ts"
import type { Origins } from "../server/index.ts"
import { portOf } from "../server/port.ts"
import { checkBusUrls } from "./bus.ts"
import { splitArguments } from "./options.ts"

/** What the command starts: from its arguments and its environment. */
export interface Settings {
  /** The path of the file with the program's handlers; without one, the open rooms are served. */
  readonly file?: string
  readonly port: number
  readonly host: string
  readonly workers?: number
  /** The pages that may connect to sockets that do not say otherwise. */
  readonly origins: Origins
  /** The URLs of the servers of one bus; none for a single node. */
  readonly pubsub: readonly string[]
  readonly operations?: { readonly port: number; readonly host: string }
  /** The secret that signs the tokens of clients and of long-poll sessions. */
  readonly secret?: string
  /** Whether a page to try the open rooms is served. */
  readonly page: boolean
}

/** What the command was asked for. */
export type Command = { readonly does: "help" | "version" } | { readonly does: "serve"; readonly settings: Settings }

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_PORT = "4000"
/** Only this machine reaches it. */
export const DEFAULT_HOST = "127.0.0.1"
const MAX_PORT = 65_535
const MIN_SECRET_BYTES = 32
/** More than any machine has cores. A zero too many must not fork processes until the memory is used up. */
const MAX_WORKERS = 1_024

/**
 * Reads the arguments and the environment of the command.
 * @param args without the names of Node and of the program
 * @throws ConfigError for an argument or a variable that is wrong; its message contains no secret and no URL of a bus
 */
export function commandOf(args: readonly string[], env: Environment): Command {
  const { values, positionals } = splitArguments(args)
  if (values.help === true) return { does: "help" }
  if (values.version === true) return { does: "version" }
  const file = fileOf(positionals)
  const port = values.port === undefined ? portOf("PORT", env["PORT"] ?? DEFAULT_PORT) : portOf("--port", values.port)
  const workers = values.workers === undefined ? undefined : workersOf(values.workers)
  const operations = values.operations === undefined ? undefined : operationsOf(values.operations, port)
  const secret = secretOf(env["ROLLCALL_SECRET"])
  const pubsub = values.pubsub ?? [env["ROLLCALL_PUBSUB"] ?? []].flat()
  checkBusUrls(values.pubsub === undefined ? "ROLLCALL_PUBSUB" : "--pubsub", pubsub)
  return {
    does: "serve",
    settings: {
      port,
      host: hostOf(values.host),
      origins: originsOf(values.origin),
      pubsub,
      page: values["no-page"] !== true && file === undefined && secret === undefined,
      ...(file !== undefined && { file }),
      ...(workers !== undefined && { workers }),
      ...(operations !== undefined && { operations }),
      ...(secret !== undefined && { secret }),
    },
  }
}

function fileOf(positionals: readonly string[]): string | undefined {
  const [file, ...more] = positionals
  if (more.length > 0) throw new ConfigError(`expected one file with handlers, got ${positionals.length}`)
  if (file === "") throw new ConfigError("expected the path of a file with handlers, got an empty one")
  if (file !== undefined && /^\d+$/.test(file)) {
    throw new ConfigError(`expected the path of a file with handlers, got ${file}: for a port, write --port ${file}`)
  }
  return file
}

function hostOf(host: string | undefined): string {
  if (host === "") throw new ConfigError("expected --host to be the address or name of a network interface, got none")
  return host ?? DEFAULT_HOST
}

function workersOf(text: string): number {
  const workers = Number(text)
  if (/^\d+$/.test(text) && workers >= 1 && workers <= MAX_WORKERS) return workers
  throw new ConfigError(`expected --workers to be a whole number from 1 to ${MAX_WORKERS}, got ${quote(text)}`)
}

/** Returns the address for operations: `9090`, `0.0.0.0:9090`, `[::1]:9090`, or by default the port after that of the clients. */
function operationsOf(text: string, port: number): { readonly port: number; readonly host: string } {
  const [, host, digits] = /^(?:(.+):)?([^:]*)$/.exec(text) ?? []
  const next = port === 0 || port === MAX_PORT ? 0 : port + 1
  const own = text === "" ? next : portOf("--operations to be a port, or a host and a port,", digits)
  return { port: own, host: host?.replace(/^\[(.*)\]$/, "$1") ?? DEFAULT_HOST }
}

function originsOf(origins: readonly string[] | undefined): Origins {
  if (origins === undefined) return true
  // Quoted, it is what people write for "all" nearly everywhere.
  if (origins.includes("*")) return false
  checkOrigins(origins)
  return origins
}

/** @throws ConfigError for a secret that could be guessed; the message does not contain it */
function secretOf(secret: string | undefined): string | undefined {
  // An empty variable counts as set: a user who sets it expects that tokens are checked.
  if (secret === undefined) return undefined
  const size = new TextEncoder().encode(secret).length
  if (size >= MIN_SECRET_BYTES) return secret
  throw new ConfigError(
    `expected ROLLCALL_SECRET to have at least ${MIN_SECRET_BYTES} bytes, got ${size}: openssl rand -hex 32 makes one`,
  )
}
