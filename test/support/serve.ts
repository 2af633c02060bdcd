import { onTestFinished } from "vitest"
import { createServer } from "../../src/server/index.ts"
import type { ListenOptions, Server, ServerOptions } from "../../src/server/index.ts"
import { WireSocket } from "./wire-socket.ts"
import type { Seen } from "./wire-socket.ts"

/** A server that listens, and what it tells about itself. */
export interface Served<Assigns extends object> {
  readonly server: Server<Assigns>
  /** `ws://127.0.0.1:port` */
  readonly url: string
  /** Where its operations are, when they were asked for. */
  readonly operations: string | undefined
  /** What the server counted, by name. */
  readonly counted: ReadonlyMap<string, number>
  /** Waits until something has been counted so many times. */
  reached(name: string, count: number): Promise<void>
  /** What the server logged. */
  readonly logged: readonly { readonly message: string; readonly details: unknown }[]
  /** A client that is connected at `/socket`, or was refused. */
  client(query?: string, headers?: Readonly<Record<string, string>>): Promise<Client>
}

/** Starts a server for one test; it ends with the test. */
export async function serve<Assigns extends object = Record<string, unknown>>(
  setUp: (server: Server<Assigns>) => void,
  options: ServerOptions = {},
  listen: Partial<ListenOptions> = {},
): Promise<Served<Assigns>> {
  const counted = new Map<string, number>()
  let waiting: (() => boolean)[] = []
  const logged: { message: string; details: unknown }[] = []
  const log = (message: string, details?: unknown): void => void logged.push({ message, details })
  const server = createServer<Assigns>({
    logger: { warn: log, error: log },
    meter: {
      count(name, by) {
        counted.set(name, (counted.get(name) ?? 0) + by)
        waiting = waiting.filter((reached) => !reached())
      },
    },
    ...options,
  })
  setUp(server)
  const { port, operations } = await server.listen({ port: 0, host: "127.0.0.1", ...listen })
  onTestFinished(() => server.close())
  const url = `ws://127.0.0.1:${port}`
  return {
    server,
    url,
    operations,
    counted,
    reached: (name, count) =>
      new Promise((resolve) => {
        const reached = (): boolean => {
          if ((counted.get(name) ?? 0) < count) return false
          resolve()
          return true
        }
        if (!reached()) waiting.push(reached)
      }),
    logged,
    async client(query = "", headers = {}) {
      const vsn = query.includes("vsn=") ? "" : "vsn=2.0.0&"
      const client = new Client(new WireSocket(`${url}/socket/websocket?${vsn}${query}`, headers))
      onTestFinished(() => void client.socket.raw.destroy())
      await client.socket.inbox.next()
      return client
    },
  }
}

/** One client, speaking version 2, at the level of frames. */
export class Client {
  readonly socket: WireSocket
  #refs = 0

  constructor(socket: WireSocket) {
    this.socket = socket
  }

  /** How the connection began: open, or refused. */
  get beginning(): Seen {
    return this.socket.inbox.items[0] as Seen
  }

  /** The next frame, parsed when it is text. */
  async next(): Promise<unknown> {
    const seen = await this.socket.inbox.next()
    return typeof seen === "string" ? JSON.parse(seen) : seen
  }

  /** Joins, and returns what the server answered. The join's reference is the topic's name. */
  async join(topic: string, params: unknown = {}): Promise<unknown> {
    this.socket.send(JSON.stringify([topic, topic, topic, "phx_join", params]))
    return payloadOf(await this.next())
  }

  /** Sends an event to a topic that `join` joined; returns the reference. */
  push(topic: string, event: string, payload: unknown = {}): string {
    const ref = String((this.#refs += 1))
    this.socket.send(JSON.stringify([topic, ref, topic, event, payload]))
    return ref
  }

  /** Sends an event and returns the next thing that comes: its reply. */
  async ask(topic: string, event: string, payload: unknown = {}): Promise<unknown> {
    const ref = this.push(topic, event, payload)
    const message = await this.next()
    if (!Array.isArray(message) || message[1] !== ref) {
      throw new Error(`expected the reply to ${event}, got ${JSON.stringify(message)}`)
    }
    return payloadOf(message)
  }

  /** What has come that nobody has asked for, after the server has had its say. */
  async rest(): Promise<unknown[]> {
    await this.socket.settled()
    return this.socket.inbox.rest().map((seen) => (typeof seen === "string" ? JSON.parse(seen) : seen))
  }
}

export const ok = (response: unknown = {}): unknown => ({ response, status: "ok" })
export const error = (response: unknown): unknown => ({ response, status: "error" })

const payloadOf = (message: unknown): unknown => (Array.isArray(message) ? message[4] : message)
