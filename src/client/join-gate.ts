/**
 * Keeps the joins of one topic on one connection apart.
 *
 * A `presence_diff` has no `join_ref`. If a topic is joined again while the server still serves its former join, a diff of the
 * former one can arrive last: it would list a device whose leave was sent to nobody, for good.
 */
import { CLOSE, ERROR, REPLY } from "../wire/events.ts"
import type { Timers } from "../timers.ts"
import type { Undo } from "../listeners.ts"
import type { Socket } from "./phoenix.ts"

/** How long the end of a join that was left is waited for, in milliseconds. */
const END_TIMEOUT_MS = 3_000

/** A message as phoenix.js's Socket passes it on. */
type Message = {
  topic: string
  event: string
  payload: { status?: unknown }
  ref?: string | null
  join_ref?: string | null
}

/** A join that was sent and whose end has not been seen. `timer` is set once it was left. */
type Join = { readonly topic: string; isSent: boolean; timer?: unknown }

export class JoinGate {
  readonly #socket: Socket
  readonly #timers: Timers
  /** By their refs, which are unique on a connection. */
  readonly #joins = new Map<string, Join>()
  readonly #waiting = new Map<() => void, string>()

  constructor(socket: Socket, timers: Timers) {
    this.#socket = socket
    this.#timers = timers
    socket.onMessage((message) => this.#receive(message as Message))
    // A join that was made before the connection opened has been sent when it opens. All others belong to an earlier connection.
    socket.onOpen(() => {
      for (const [ref, join] of this.#joins) if (join.isSent) this.#end(ref)
      for (const join of this.#joins.values()) join.isSent = true
    })
    socket.onClose(() => this.reset())
  }

  /** Records a join that is being sent. Returns whether it is the only one of its topic; the others are taken for left. */
  sent(topic: string, ref: string): boolean {
    let isAlone = true
    for (const [other, join] of this.#joins) {
      if (join.topic !== topic || other === ref) continue
      isAlone = false
      this.left(other)
    }
    this.#joins.set(ref, { topic, isSent: this.#socket.isConnected() })
    return isAlone
  }

  /** A join was left. Its end is now waited for, up to a limit. */
  left(ref: string | undefined): void {
    const join = this.#joins.get(ref!)
    // A join that was not sent yet will not be sent any more.
    if (join?.isSent === false) this.#end(ref!)
    else if (join) join.timer ??= this.#timers.set(() => this.#end(ref!), END_TIMEOUT_MS)
  }

  /** Calls `run` as soon as no join of this topic that was left is open: perhaps at once. Returns a function that withdraws it. */
  whenClear(topic: string, run: () => void): Undo {
    this.#waiting.set(run, topic)
    this.#release()
    return () => void this.#waiting.delete(run)
  }

  /** The connection has ended, and with it all its joins. */
  reset(): void {
    for (const ref of this.#joins.keys()) this.#end(ref)
  }

  #receive({ topic, event, payload, ref, join_ref: join }: Message): void {
    if (event === CLOSE || event === ERROR) {
      // In version 1 of the protocol these have no reference.
      for (const [each, open] of this.#joins) if (open.topic === topic && (join ?? each) === each) this.#end(each)
    } else if (event === REPLY && ref) {
      if (payload.status !== "ok") this.#end(ref)
      // The join of a channel that the application made.
      else if (ref === join && !this.#joins.has(ref)) this.#joins.set(ref, { topic, isSent: true })
    }
  }

  #end(ref: string): void {
    const join = this.#joins.get(ref)
    if (!join) return
    this.#timers.clear(join.timer)
    this.#joins.delete(ref)
    this.#release()
  }

  #release(): void {
    for (const [run, topic] of this.#waiting) {
      const joins = Array.from(this.#joins.values())
      if (!joins.some((join) => join.topic === topic && join.timer) && this.#waiting.delete(run)) run()
    }
  }
}
