import { Agent, request } from "node:http"
import { connect } from "node:net"
import type { ServerOptions } from "../../src/server/index.ts"
import { clock } from "../support/clock.ts"
import { Inbox } from "../support/inbox.ts"
import { phoenixApp } from "../support/phoenix-app.ts"
import type { PhoenixApp } from "../support/phoenix-app.ts"
import { WireSocket } from "../support/wire-socket.ts"
import type { Entry, Step } from "./recording.ts"
import { observationOf, observationOfAnswer, observationOfRaw } from "./observation.ts"
import type { Observation } from "./observation.ts"

/** Frames that one connection wrote within this time, in ms, belong to one burst, and are written in one chunk. */
const BURST_MS = 5

/**
 * The timeouts of our server. Its timer wheel detects a silent connection late, by up to a sixtieth of the timeout. So these
 * timeouts are a little shorter than those of Phoenix, and have expired when the recording shows it, after 60 and after
 * 15 seconds.
 */
const TIMES = { idleTimeoutMs: 59_000, longPollWindowMs: 9_800 }

/** The number of turns of the event loop after which all data between two sockets of this process has arrived. */
const TURNS = 20

/** How long to wait for expected frames before the comparison reports them as missing, in ms. */
const FRAMES_TIMEOUT_MS = 30_000

/** The frames that each client received. */
export type Got = Map<string, Observation[]>

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Repeats the actions of a recording's clients against our server. Time passes as recorded, on a virtual clock. */
export class Player {
  readonly #options: ServerOptions
  readonly #clock = clock()
  readonly #sockets = new Map<string, WireSocket>()
  readonly #answers = new Map<string, Inbox<Observation>>()
  /** Connection → the number of items in its inbox that belong to earlier steps. */
  readonly #read = new Map<string, number>()
  /** A recorded long-poll token → the one that our server gave in its place. */
  readonly #tokens = new Map<string, string>()
  readonly #acted = new Set<WireSocket>()
  readonly #agent = new Agent({ keepAlive: true })
  #app: PhoenixApp | undefined

  constructor(options: ServerOptions) {
    this.#options = { ...TIMES, ...options, timers: this.#clock }
  }

  async start(): Promise<void> {
    this.#app = await phoenixApp(this.#options)
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.values()) socket.raw.destroy()
    this.#agent.destroy()
    await this.#app?.close()
  }

  /**
   * Performs the actions of the clients. Returns the frames that each received, once `enough` returns true for them.
   */
  async play(step: Step, enough: (got: ReadonlyMap<string, readonly Observation[]>) => boolean): Promise<Got> {
    this.#acted.clear()
    for (let at = 0; at < step.actions.length;) at += await this.#act(step.actions, at)
    for (const { t_ms: time, conn, frame } of step.answers) {
      // First, all frames that are already due arrive, while the clock stands still. Then it advances to the next
      // answer.
      await this.#settle()
      this.#passTo(time)
      const closed = frame as { event?: string; code?: number }
      // Close code 1006 means that the recorder broke the connection. A break by our server is reported as a
      // difference.
      if (closed.event === "close" && closed.code === 1006) this.#sockets.get(conn)?.raw.destroy()
    }
    await this.#settle()
    for (const end = performance.now() + FRAMES_TIMEOUT_MS; !enough(this.#unread()) && performance.now() < end;) {
      await turn()
    }
    const got = this.#unread()
    for (const [conn, observations] of got) this.#read.set(conn, (this.#read.get(conn) ?? 0) + observations.length)
    return got
  }

  /** Records which token of our server replaces the recorded one. */
  learnToken(recorded: string, ours: string): void {
    this.#tokens.set(recorded, ours)
  }

  #unread(): Map<string, Observation[]> {
    const unread = new Map<string, Observation[]>()
    for (const [conn, socket] of this.#sockets) {
      unread.set(
        conn,
        socket.inbox.items.slice(this.#read.get(conn)).map((seen) => observationOf(seen)),
      )
    }
    for (const [conn, answers] of this.#answers) unread.set(conn, answers.items.slice(this.#read.get(conn)))
    return unread
  }

  /**
   * Waits until the server has sent its answers. Only clients that wrote in this step are pinged: a ping counts as
   * activity, and silent clients must stay silent.
   */
  async #settle(): Promise<void> {
    await Promise.all([...this.#acted].map((socket) => socket.settled()))
    for (let count = 0; count < TURNS; count += 1) await turn()
  }

  #passTo(time: number): void {
    this.#clock.advance(Math.max(0, time - this.#clock.now()))
  }

  /** Performs the next action, or the next burst of actions. Returns the number of performed actions. */
  async #act(actions: readonly Entry[], at: number): Promise<number> {
    const action = actions[at] as Entry
    this.#passTo(action.t_ms)
    const socket = this.#sockets.get(action.conn)
    if (action.dir === "note") {
      await this.#app?.close()
      if (action.frame === "now SIGKILL") await this.start()
      return 1
    }
    const first = dataOf(action.frame)
    if (first === undefined || socket === undefined) {
      await this.#single(action)
      return 1
    }
    const burst = [first]
    for (let next = at + 1; next < actions.length; next += 1) {
      const { conn, t_ms: time, frame } = actions[next] as Entry
      const data = dataOf(frame)
      if (conn !== action.conn || data === undefined || time - action.t_ms > BURST_MS) break
      burst.push(data)
    }
    this.#acted.add(socket)
    socket.burst(burst)
    await socket.settled()
    return burst.length
  }

  async #single({ conn, frame }: Entry): Promise<void> {
    const { event, url, method, raw, ...rest } = frame as Record<string, string | undefined>
    const socket = this.#sockets.get(conn)
    if (event === "connect") {
      const opened = new WireSocket(this.#here(url as string))
      this.#sockets.set(conn, opened)
      await opened.inbox.count(1)
    } else if (event === "ping") socket?.ping(rest["text"])
    else if (event === "close") socket?.close(rest["code"] as number | undefined, rest["reason"])
    else if (event === "tcp-reset (no close frame)") socket?.reset()
    else if (raw !== undefined) this.#raw(conn, raw)
    else if (method !== undefined) await this.#request(conn, frame as HttpRequest)
    else if (socket !== undefined) await unusual(socket, frame as Unusual)
    else throw new Error(`expected an action that the player can perform, got ${JSON.stringify(frame)}`)
  }

  /** Converts a recorded address to one with our port and our token. */
  #here(url: string): string {
    let here = url.replace(/^(\w+):\/\/[\d.:]+/, (_, scheme: string) => `${scheme}${this.#app?.url.slice(4)}`)
    for (const [recorded, ours] of this.#tokens) here = here.replace(recorded, ours)
    return here
  }

  #answer(conn: string): Inbox<Observation> {
    const inbox = this.#answers.get(conn) ?? new Inbox<Observation>(`answers to ${conn}`)
    this.#answers.set(conn, inbox)
    return inbox
  }

  /** Sends a request, and returns once the server has it. The answer is recorded when it arrives. */
  async #request(conn: string, { method, url, body, headers }: HttpRequest): Promise<void> {
    const inbox = this.#answer(conn)
    const { requests } = this.#app as PhoenixApp
    const known = requests.items.length
    const sent = request(this.#here(url), { method, agent: this.#agent, ...(headers && { headers }) }, (response) => {
      const chunks: Buffer[] = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString()
        inbox.put(observationOfAnswer({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      })
    })
    sent.on("error", () => undefined)
    sent.end(body)
    await requests.count(known + 1)
  }

  #raw(conn: string, text: string): void {
    const inbox = this.#answer(conn)
    const { port } = new URL(this.#app?.url as string)
    const socket = connect({ host: "127.0.0.1", port: Number(port) })
    let got = ""
    socket.on("error", () => undefined)
    socket.on("data", (data) => {
      got += data.toString()
      const length = Number(/content-length: (\d+)/i.exec(got)?.[1] ?? 0)
      if (!got.includes("\r\n\r\n") || got.length < got.indexOf("\r\n\r\n") + 4 + length) return
      inbox.put(observationOfRaw(got))
      socket.destroy()
    })
    socket.write(text)
  }
}

interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly body?: string
  readonly headers?: Record<string, string>
}

/** Actions that no correct client performs. */
interface Unusual {
  readonly text_frame?: string
  readonly unmasked?: string
  readonly opcode?: number
  readonly fragments?: string
  readonly text_bytes?: number
  readonly bytes?: number
}

/** Performs an unusual action. The recording has only the sizes of long frames, so their content is made here. */
async function unusual(socket: WireSocket, frame: Unusual): Promise<void> {
  if (frame.text_frame !== undefined) socket.malformed(Buffer.from(frame.text_frame, "hex"), { opcode: 1 })
  else if (frame.unmasked !== undefined) socket.malformed(Buffer.from(frame.unmasked), { opcode: 1, mask: false })
  else if (frame.opcode !== undefined) socket.malformed(Buffer.alloc(0), { opcode: frame.opcode })
  else if (frame.fragments !== undefined) socket.fragments(frame.fragments)
  else if (frame.text_bytes !== undefined) {
    const [head, tail] = ['["1","2","notrack:t9","noreply",{"x":"', '"}]']
    socket.send(head + "x".repeat(frame.text_bytes - head.length - tail.length) + tail)
  } else if (frame.bytes !== undefined) {
    const head = Buffer.concat([Buffer.from([0, 2, 2, 11, 4]), Buffer.from("1213notrack:t6becho")])
    socket.send(Buffer.concat([head, Buffer.alloc(frame.bytes - head.length, "x")]))
  } else throw new Error(`expected an action that the player can perform, got ${JSON.stringify(frame)}`)
  await socket.settled()
}

/** Returns the content of an ordinary frame: text, or bytes. Returns `undefined` for any other action. */
function dataOf(frame: unknown): string | Buffer | undefined {
  if (typeof frame === "string") return frame
  const { hex } = frame as { hex?: string }
  return hex === undefined ? undefined : Buffer.from(hex, "hex")
}
