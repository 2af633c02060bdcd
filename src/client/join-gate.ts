/**
 * Keeps the joins of one topic on one connection apart.
 *
 * A `presence_diff` has no `join_ref`. If a topic is joined again while the server still serves its former join, a diff of the
 * former one can arrive last: it would list a device whose leave was sent to nobody, for good.
 */
import { CLOSE, ERROR, REPLY } from "../wire/events.ts"
import type { Clock } from "../timers.ts"
import type { Flow } from "./flow.ts"
import type { Message, Socket } from "./phoenix.ts"

/** How long to wait for the end of a join that was left, in milliseconds. */
const END_TIMEOUT_MS = 3_000

export interface JoinGate {
  /**
   * Why the connection is given up at this moment, or paused. Meanwhile no join is sent, and what phoenix.js reports about the
   * loss is no news.
   */
  readonly held: unknown
  hold(cause: unknown): void
  /** A join was left. Its end is now waited for, up to a limit. */
  left(topic: string, ref: string): void
  /** Returns whether no join of this topic other than `ref` is open. phoenix.js, which permits only one, has left the others. */
  isAlone(topic: string, ref: string): boolean
  /** Calls `run` as soon as all joins of this topic that were left have ended, perhaps at once. */
  whenClear(topic: string, run: () => void): void
  /** Cancels `whenClear`. */
  withdraw(run: () => void): void
  /** The connection has ended, and with it all its joins. */
  reset(): void
}

/** Returns the gate of a socket. It notifies `flow` of the end of the connection. */
export function createJoinGate(socket: Socket, timers: Clock, flow: Flow): JoinGate {
  /**
   * The open joins that must end before the topic is joined again, by their refs, which are unique on a connection: joins that
   * were left, with a timer, and joins of channels that the application created.
   */
  const joins = new Map<string, readonly [topic: string, timer?: unknown]>()
  const waiting = new Map<() => void, string>()

  const isClear = (topic: string): boolean =>
    !gate.held && !Array.from(joins.values()).some(([of, timer]) => timer && of === topic)

  const end = (isEnded: (ref: string, topic: string) => boolean): void => {
    for (const [ref, [topic, timer]] of joins) {
      if (!isEnded(ref, topic)) continue
      timers.clear(timer)
      joins.delete(ref)
    }
    for (const [run, topic] of waiting) if (isClear(topic) && waiting.delete(run)) run()
  }

  const gate = {
    held: undefined as unknown,
    hold(cause: unknown) {
      gate.held = cause
      end(() => false)
    },
    left(topic: string, ref: string) {
      const [, timer = timers.set(() => end((each) => each === ref), END_TIMEOUT_MS)] = joins.get(ref) ?? []
      joins.set(ref, [topic, timer])
    },
    isAlone(topic: string, ref: string) {
      let isAlone = true
      for (const [other, [of]] of joins) {
        if (of !== topic || other === ref) continue
        gate.left(topic, other)
        isAlone = false
      }
      return isAlone
    },
    whenClear(topic: string, run: () => void) {
      waiting.set(run, topic)
      end(() => false)
    },
    withdraw: (run: () => void) => void waiting.delete(run),
    reset: () => end(() => true),
  }

  socket.onMessage(({ topic, event, payload, ref, join_ref: join }: Message) => {
    // In version 1 of the protocol, the end of a join has no reference.
    if (event === CLOSE || event === ERROR) end((each, of) => (join ? each === join : of === topic))
    else if (event === REPLY && ref) {
      if ((payload as { status?: unknown }).status !== "ok") end((each) => each === ref)
      // The reply to a join. One of a channel that the application made is not known otherwise.
      else if (ref === join && !joins.has(ref)) joins.set(ref, [topic])
    }
  })
  socket.onOpen(gate.reset)
  socket.onClose((event: { code?: number } | undefined) => {
    flow.closed((!gate.held && event?.code) || 0)
    gate.reset()
  })
  return gate
}
