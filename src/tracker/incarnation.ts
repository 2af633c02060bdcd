import type { TrackerCounter } from "./counter-names.ts"
import type { VersionVector } from "../crdt/clock.ts"
import { RollcallError } from "../error.ts"
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
 * This node's own incarnation: whether the others still accept its ref, and when it must restart under a new one.
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
  /** When this node last restarted because another one had seen more of it than it has done. */
  #overtakenAt = -Infinity

  constructor(options: IncarnationOptions) {
    this.#options = options
  }

  /** The ref before the last restart; `undefined` before the first one. */
  get previousRef(): string | undefined {
    return this.#previousRef
  }

  /**
   * Restarts if the present ref is stale at another node, which ignores it from now on (D9).
   *
   * If the notice names another current ref, that is mostly this node's own past, arriving late: twice, for a node that
   * was restarted twice in quick succession. If such notices keep coming for a down period, another living node has the
   * same name. Each of the two would make the other stale for ever. So the node that detects it does not restart for as
   * long as the notices come (D6).
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
   * Restarts if another node has seen more of the present ref than it has done.
   *
   * With correct nodes only, this cannot happen. The other node has received invalid data, and would take the next
   * changes for ones that it has seen. If invalid data keeps arriving, there is one restart per down period at most.
   */
  receivedClocks(clocks: VersionVector, now: number): void {
    const { own, count, downPeriodMs } = this.#options
    if ((clocks.get(own.ref) ?? 0) <= own.clock) return
    count("tracker_overtaken")
    if (now - this.#overtakenAt <= downPeriodMs) return
    this.#overtakenAt = now
    this.#restart()
  }

  /** Reports that two living nodes have the same name, which may be this node's own. */
  reportNameConflict(node: string): void {
    if (node === this.#options.node) this.#isConflictReported = true
    this.#options.count("tracker_name_conflicts")
    const expected = "expected each living node to have a name of its own"
    const message = `${expected}, got two named ${JSON.stringify(node)}; give one of them another name`
    this.#options.onError(new RollcallError("name_conflict", message))
  }

  #restart(): void {
    // First, since the restart sends a heartbeat that carries the previous ref.
    this.#previousRef = this.#options.own.ref
    this.#options.restart()
  }
}
