/**
 * Keeps the joins of one topic on one connection apart.
 *
 * A `presence_diff` has no `join_ref`. If a topic is joined again while the server still serves its former join, a diff of the
 * former one can arrive last: it would list a device whose leave was sent to nobody, for good.
 */
import { CLOSE, ERROR, REPLY } from "../wire/events.ts"
import type { Clock } from "../timers.ts"
import type { Undo } from "../listeners.ts"
import type { Flow } from "./flow.ts"
import type { Message, Socket } from "./phoenix.ts"

/** How long to wait for the end of a join that was left, in milliseconds. */
const END_TIMEOUT_MS = 3_000

export class JoinGate {
  /** What the connection has in flight. */
  readonly flow: Flow
  readonly #socket: Socket
  readonly #timers: Clock
  /**
   * The open joins that must end before the topic is joined again, by their refs, which are unique on a connection: joins that
   * were left, with a timer, and joins of channels that the application created.
   */
  readonly #joins = new Map<string, { readonly topic: string; readonly timer?: unknown }>()
  readonly #waiting = new Set<() => void>()
  #held: unknown

  constructor(socket: Socket, timers: Clock, flow: Flow) {
    this.flow = flow
    this.#socket = socket
    this.#timers = timers
    socket.onMessage((message: Message) => this.#receive(message))
    socket.onOpen(() => this.reset())
    socket.onClose((event: { code?: number } | undefined) => {
      flow.closed((!this.#held && event?.code) || 0)
      this.reset()
    })
  }

  /** A join was left. Its end is now waited for, up to a limit. */
  left(topic: string, ref: string | undefined): void {
    if (!ref || !this.#socket.isConnected() || this.#joins.get(ref)?.timer) return
    this.#joins.set(ref, { topic, timer: this.#timers.set(() => this.#end([ref]), END_TIMEOUT_MS) })
  }

  /** Returns whether no join of this topic other than `ref` is open. phoenix.js, which permits only one, has left the others. */
  isAlone(topic: string, ref: string | undefined): boolean {
    const others = this.#refs(topic).filter((other) => other !== ref)
    for (const other of others) this.left(topic, other)
    return others.length === 0
  }

  /**
   * Calls `run` as soon as all joins of this topic that were left have ended, perhaps at once. Returns a function that cancels
   * this.
   */
  whenClear(topic: string, run: () => void): Undo {
    const attempt = (): void => {
      if (this.#held || this.#refs(topic).some((ref) => this.#joins.get(ref)!.timer)) return
      this.#waiting.delete(attempt)
      run()
    }
    this.#waiting.add(attempt)
    attempt()
    return () => void this.#waiting.delete(attempt)
  }

  /** The connection has ended, and with it all its joins. */
  reset(): void {
    this.#end([...this.#joins.keys()])
  }

  /**
   * Why the connection is given up at this moment, or paused. Meanwhile no join is sent, and what phoenix.js reports about the
   * loss is no news.
   */
  get held(): unknown {
    return this.#held
  }

  set held(cause: unknown) {
    this.#held = cause
    this.#end([])
  }

  #refs(topic: string): string[] {
    return [...this.#joins.keys()].filter((ref) => this.#joins.get(ref)!.topic === topic)
  }

  #receive(message: Message): void {
    const { topic, event, payload, ref, join_ref: join } = message
    this.flow.received(message)
    // In version 1 of the protocol, the end of a join has no reference.
    if (event === CLOSE || event === ERROR) this.#end(join ? [join] : this.#refs(topic))
    else if (event === REPLY && ref) {
      if ((payload as { status?: unknown }).status !== "ok") this.#end([ref])
      // The reply to a join. One of a channel that the application made is not known otherwise.
      else if (ref === join && !this.#joins.has(ref)) this.#joins.set(ref, { topic })
    }
  }

  #end(refs: string[]): void {
    for (const ref of refs) {
      this.#timers.clear(this.#joins.get(ref)?.timer)
      this.#joins.delete(ref)
    }
    for (const attempt of Array.from(this.#waiting)) attempt()
  }
}
