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

export interface JoinGate {
  /** A join was left. Its end is now waited for, up to a limit. */
  left(topic: string, ref: string | undefined): void
  /** Returns whether no join of this topic other than `ref` is open. phoenix.js, which permits only one, has left the others. */
  isAlone(topic: string, ref: string | undefined): boolean
  /**
   * Calls `run` as soon as all joins of this topic that were left have ended, perhaps at once. Returns a function that cancels
   * this.
   */
  whenClear(topic: string, run: () => void): Undo
  /** The connection has ended, and with it all its joins. */
  reset(): void
  /**
   * Why the connection is given up at this moment, or paused. Meanwhile no join is sent, and what phoenix.js reports about the
   * loss is no news.
   */
  readonly held: unknown
  hold(cause: unknown): void
}

/** Returns the gate of a socket. It passes on to `flow` what it sees of the connection. */
export function createJoinGate(socket: Socket, timers: Clock, flow: Flow): JoinGate {
  /**
   * The open joins that must end before the topic is joined again, by their refs, which are unique on a connection: joins that
   * were left, with a timer, and joins of channels that the application created.
   */
  const joins = new Map<string, { readonly topic: string; readonly timer?: unknown }>()
  const waiting = new Set<() => void>()
  let held: unknown

  const refsOf = (topic: string): string[] => [...joins.keys()].filter((ref) => joins.get(ref)!.topic === topic)

  const end = (refs: Iterable<string>): void => {
    for (const ref of refs) {
      timers.clear(joins.get(ref)?.timer)
      joins.delete(ref)
    }
    for (const attempt of Array.from(waiting)) attempt()
  }

  const left = (topic: string, ref: string | undefined): void => {
    if (!ref || !socket.isConnected() || joins.get(ref)?.timer) return
    joins.set(ref, { topic, timer: timers.set(() => end([ref]), END_TIMEOUT_MS) })
  }

  const reset = (): void => end(joins.keys())

  socket.onMessage(({ topic, event, payload, ref, join_ref: join }: Message) => {
    // In version 1 of the protocol, the end of a join has no reference.
    if (event === CLOSE || event === ERROR) end(join ? [join] : refsOf(topic))
    else if (event === REPLY && ref) {
      if ((payload as { status?: unknown }).status !== "ok") end([ref])
      // The reply to a join. One of a channel that the application made is not known otherwise.
      else if (ref === join && !joins.has(ref)) joins.set(ref, { topic })
    }
  })
  socket.onOpen(reset)
  socket.onClose((event: { code?: number } | undefined) => {
    flow.closed((!held && event?.code) || 0)
    reset()
  })

  return {
    left,
    isAlone(topic, ref) {
      const others = refsOf(topic).filter((other) => other !== ref)
      for (const other of others) left(topic, other)
      return others.length === 0
    },
    whenClear(topic, run) {
      const attempt = (): void => {
        if (held || refsOf(topic).some((ref) => joins.get(ref)!.timer)) return
        waiting.delete(attempt)
        run()
      }
      waiting.add(attempt)
      attempt()
      return () => void waiting.delete(attempt)
    },
    reset,
    get held() {
      return held
    },
    hold(cause) {
      held = cause
      end([])
    },
  }
}
