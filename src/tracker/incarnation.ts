import type { TrackerCounter } from "./counter-names.ts"
import type { VersionVector } from "../crdt/clock.ts"
import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import type { StaleRefNotice } from "./tracker-messages.ts"

/** The options of an incarnation. */
export interface IncarnationOptions {
  readonly node: string
  /** This node's current replica. */
  readonly own: { readonly ref: string; readonly clock: number }
  readonly downPeriodMs: number
  readonly count: (name: TrackerCounter) => void
  readonly onError: (error: unknown) => void
  /** Makes this node continue under a new ref. */
  readonly restart: () => void
}

/**
 * This node's own incarnation. It decides whether other nodes still accept the ref, and when to restart under a new one.
 *
 * `now` is a parameter. All times are in ms of the monotonic clock.
 */
export class Incarnation {
  readonly #options: IncarnationOptions
  #previousRef: string | undefined
  /** When the last stale-ref notice arrived that named another current ref. */
  #noticeAt = -Infinity
  /** When the current series of such notices began. A pause of more than a down period ends a series. */
  #noticesSince = -Infinity
  #isConflictReported = false
  /** The time of the last restart because another node claimed to have seen more dots of this node than it has used. */
  #overtakenAt = -Infinity

  constructor(options: IncarnationOptions) {
    this.#options = options
  }

  /** The ref before the last restart; `undefined` before the first one. */
  get previousRef(): string | undefined {
    return this.#previousRef
  }

  /**
   * Restarts if the current ref is stale at another node, which therefore ignores this node's messages (D9).
   *
   * A notice may name another current ref. Usually that is an earlier ref of this node, whose messages arrived late; after
   * two restarts in quick succession, there are two such notices. But if they keep coming for a down period, another
   * living node has the same name. Each restart of one would make the other one's ref stale, for ever. So the node that
   * detects this does not restart as long as such notices come (D6).
   */
  receivedStaleRefNotice({ staleRef, currentRef }: StaleRefNotice, now: number): void {
    const { node, own, downPeriodMs } = this.#options
    if (staleRef !== own.ref) return
    if (currentRef !== undefined) {
      if (now - this.#noticeAt > downPeriodMs) this.#noticesSince = now
      this.#noticeAt = now
      if (now - this.#noticesSince > downPeriodMs) {
        if (!this.#isConflictReported) this.reportNameConflict(node)
        return
      }
    }
    this.#isConflictReported = false
    this.#restart()
  }

  /**
   * Restarts if another node claims to have seen more dots of the current ref than this node has used.
   *
   * Among correct nodes this cannot happen. The other node has received invalid data, and would ignore the next changes
   * because their dots count as seen. If invalid data keeps arriving, there is at most one restart per down period.
   */
  receivedClocks(clocks: VersionVector, now: number): void {
    const { own, count, downPeriodMs } = this.#options
    if ((clocks.get(own.ref) ?? 0) <= own.clock) return
    count("tracker_overtaken")
    if (now - this.#overtakenAt <= downPeriodMs) return
    this.#overtakenAt = now
    this.#restart()
  }

  /** Reports that two living nodes have the same name. `node` may be this node's own name. */
  reportNameConflict(node: string): void {
    if (node === this.#options.node) this.#isConflictReported = true
    this.#options.count("tracker_name_conflicts")
    const expected = "expected each living node to have a name of its own"
    const message = `${expected}, got two named ${quote(node)}; give one of them another name`
    this.#options.onError(new RollcallError("name_conflict", message))
  }

  #restart(): void {
    // Set before the restart, which sends a heartbeat with the previous ref.
    this.#previousRef = this.#options.own.ref
    this.#options.restart()
  }
}
