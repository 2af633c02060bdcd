import { expect, onTestFinished } from "vitest"
import { createServer } from "../../src/server/index.ts"
import type { ListenOptions, Server, ServerOptions } from "../../src/server/index.ts"
import { DROPS, TRAFFIC } from "../../src/server/operations/metrics.ts"
import { WireSocket } from "./wire-socket.ts"
import type { Seen } from "./wire-socket.ts"

/**
 * How long an idle HTTP connection stays open, in ms. With Node's 5 s, a process that stands still for as long may send a request
 * on a connection that has just been closed.
 */
const KEEP_ALIVE_MS = 600_000

const LISTED: ReadonlySet<string> = new Set(Object.keys({ ...TRAFFIC, ...DROPS }))

/** A server that listens, with its counts and logs, and a way to connect clients. */
export interface Served<Assigns extends object> {
  readonly server: Server<Assigns>
  /** `ws://127.0.0.1:port` */
  readonly url: string
  /** The URL of its port for operations, if it was asked for. */
  readonly operations: string | undefined
  /** The server's counters by name; one that was never counted is missing. */
  readonly counted: ReadonlyMap<string, number>
  /** Resolves when a counter has reached a value. */
  reached(name: string, count: number): Promise<void>
  /** The server's log messages. */
  readonly logged: readonly { readonly message: string; readonly details: unknown }[]
  /** Connects a client to `/socket`. Resolves also when it is refused: see `beginning`. */
  client(query?: string, headers?: Readonly<Record<string, string>>): Promise<Client>
}

/** Starts a server for one test, and closes it when the test has finished. */
export async function serve<Assigns extends object = Record<string, unknown>>(
  setUp: (server: Server<Assigns>) => void,
  options: ServerOptions = {},
  listen: Partial<ListenOptions> = {},
): Promise<Served<Assigns>> {
  const counted = new Map<string, number>()
  let waiting: (() => boolean)[] = []
  const logged: { message: string; details: unknown }[] = []
  const log = (message: string, details?: unknown): void => void logged.push({ message, details })
  const unlisted = new Set<string>()
  onTestFinished(() => {
    expect([...unlisted], "counters without an entry in metrics.ts").toEqual([])
  })
  const server = createServer<Assigns>({
    logger: { warn: log, error: log },
    meter: {
      count(name, by) {
        // Transports count by any name. Those of this package must use names that are listed, with a help text.
        if (!LISTED.has(name)) unlisted.add(name)
        counted.set(name, (counted.get(name) ?? 0) + by)
        waiting = waiting.filter((reached) => !reached())
      },
    },
    ...options,
  })
  setUp(server)
  const { port, operations } = await server.listen({
    port: 0,
    host: "127.0.0.1",
    keepAliveTimeout: KEEP_ALIVE_MS,
    ...listen,
  })
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

/** A client at the level of frames, in version 2 of the protocol. */
export class Client {
  readonly socket: WireSocket
  #refs = 0

  constructor(socket: WireSocket) {
    this.socket = socket
  }

  /** The first event of the connection: opened, or refused. */
  get beginning(): Seen {
    return this.socket.inbox.items[0] as Seen
  }

  /** Resolves to the next frame or event. A text frame is parsed. */
  async next(): Promise<unknown> {
    const seen = await this.socket.inbox.next()
    return typeof seen === "string" ? JSON.parse(seen) : seen
  }

  /** Joins a topic, with the topic as the join's reference. Resolves to the payload of the next frame: the reply. */
  async join(topic: string, params: unknown = {}): Promise<unknown> {
    this.socket.send(JSON.stringify([topic, topic, topic, "phx_join", params]))
    return payloadOf(await this.next())
  }

  /** Sends an event to a topic that was joined by `join`. Returns its reference. */
  push(topic: string, event: string, payload: unknown = {}): string {
    const ref = String((this.#refs += 1))
    this.socket.send(JSON.stringify([topic, ref, topic, event, payload]))
    return ref
  }

  /** Sends an event, and resolves to its reply. Rejects when another frame comes first. */
  async ask(topic: string, event: string, payload: unknown = {}): Promise<unknown> {
    const ref = this.push(topic, event, payload)
    const message = await this.next()
    if (!Array.isArray(message) || message[1] !== ref) {
      throw new Error(`expected the reply to ${event}, got ${JSON.stringify(message)}`)
    }
    return payloadOf(message)
  }

  /** Returns the frames that have come and were not read yet, after the server has handled everything that was sent. */
  async rest(): Promise<unknown[]> {
    await this.socket.settled()
    return this.socket.inbox.rest().map((seen) => (typeof seen === "string" ? JSON.parse(seen) : seen))
  }
}

export const ok = (response: unknown = {}): unknown => ({ response, status: "ok" })
export const error = (response: unknown): unknown => ({ response, status: "error" })

const payloadOf = (message: unknown): unknown => (Array.isArray(message) ? message[4] : message)
