import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import type { SetDiff } from "../../src/crdt/set-diff.ts"
import { elementOf, ModelCheckedSet, type Message } from "./model-checked-set.ts"

/**
 * Recorded runs of the state module of phoenix_pubsub, with the view that it showed after each operation. Only runs that
 * ended correctly are included.
 *
 * The environment variable `TRACKER_TRACES` can name another file of the same format. Rows are written as
 * `topic|pid|key|n`. The pids of a trace start with their replica, as in `r0.p1`.
 */
const file = process.env["TRACKER_TRACES"] ?? new URL("../fixtures/tracker-traces.jsonl", import.meta.url)

interface Step {
  readonly op: string
  readonly at: string
  readonly online?: readonly string[]
  readonly joins?: readonly string[]
  readonly leaves?: readonly string[]
  readonly replica: string
  readonly for: string
  readonly message: number
  readonly pid: string
  readonly topic: string
  readonly key: string
  readonly n: number
}

interface Trace {
  readonly seed: number
  readonly profile: string
  readonly replicas: readonly string[]
  readonly steps: readonly Step[]
}

const traces = readFileSync(file, "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Trace)

class Replay {
  readonly #replicas: ReadonlyMap<string, ModelCheckedSet>
  readonly #messages = new Map<number, Message>()
  comparedViews = 0
  comparedDiffs = 0

  constructor(trace: Trace) {
    this.#replicas = new Map(trace.replicas.map((ref) => [ref, new ModelCheckedSet(ref)]))
  }

  /**
   * Replays a step, and checks that the set shows what Phoenix showed. Returns `false` if Phoenix shows removed rows from
   * here on, so that the rest of the trace cannot be compared.
   */
  take(step: Step, where: string): boolean {
    const set = this.#replicas.get(step.at)!
    const wasVisible = set.model.context().has(step.replica)
    const diff = this.#run(step, set)
    if (step.online === undefined) return true
    if (showsRemovedRows(step.online, set)) return false
    expect(set.online, `online after ${where}`).toEqual(step.online)
    this.comparedViews += 1
    if (diff === undefined || step.joins === undefined || step.leaves === undefined) return true
    // Phoenix also reports the rows of replicas that are down, and reports all rows again at each replicaUp and
    // replicaDown. The reference is the change of what it shows, so both are left out here.
    const visible = set.model.context()
    const isRepeated = step.op !== "merge" && wasVisible === visible.has(step.replica)
    const isShown = (element: string) => step.op !== "merge" || visible.has(element.split("|")[1]!.split(".")[0]!)
    const [joins, leaves] = isRepeated ? [[], []] : [step.joins.filter(isShown), step.leaves.filter(isShown)]
    expect(diff.joins.map(elementOf), `joins of ${where}`).toHaveLength(joins.length)
    expect(new Set(diff.joins.map(elementOf)), `joins of ${where}`).toEqual(new Set(joins))
    expect(diff.leaves.map(elementOf), `leaves of ${where}`).toHaveLength(leaves.length)
    expect(new Set(diff.leaves.map(elementOf)), `leaves of ${where}`).toEqual(new Set(leaves))
    this.comparedDiffs += 1
    return true
  }

  #run(step: Step, set: ModelCheckedSet): SetDiff | undefined {
    switch (step.op) {
      case "join":
        return set.join(step.pid, step.topic, step.key, step.n)
      case "update":
        return set.update(step.pid, step.topic, step.key, step.n)
      case "leave":
        return set.leave(step.pid, step.topic, step.key)
      case "leaveAll":
        return set.leaveAll(step.pid)
      case "replicaUp":
        return set.replicaUp(step.replica)
      case "replicaDown":
        return set.replicaDown(step.replica)
      case "removeReplica":
        return set.removeReplica(step.replica)
      case "takeDelta":
        this.#messages.set(step.message, set.takeDelta())
        return undefined
      case "extract":
        this.#messages.set(step.message, set.extract(this.#replicas.get(step.for)!))
        return undefined
      case "merge":
        return set.merge(this.#messages.get(step.message)!)
      default:
        throw new Error(`expected op to be a known operation, got ${step.op}`)
    }
  }
}

/**
 * Returns whether Phoenix shows everything that the set shows, and also rows whose removal has reached this replica
 * (D1: Phoenix takes the dot of a removed row out of its cloud). The next full transfer repairs that, so a trace can
 * contain such a view and still end correctly.
 */
function showsRemovedRows(phoenix: readonly string[], set: ModelCheckedSet): boolean {
  const shown = new Set(set.online)
  const extra = phoenix.filter((element) => !shown.has(element))
  const areRemoved = extra.every((element) => set.model.knowsRemoved(Number(element.split("|")[3])))
  return extra.length > 0 && areRemoved && phoenix.length - extra.length === shown.size
}

describe("the set shows what Phoenix shows, and reports the changes of that view", () => {
  it("there are traces to replay", () => {
    expect(traces.length).toBeGreaterThan(0)
    expect(traces.every((trace) => trace.steps.length > 0)).toBe(true)
  })

  /** The seeds of the traces in which Phoenix shows a removed row. */
  const abandoned: number[] = []
  it.each(traces.map((trace) => [trace.seed, trace.profile, trace] as const))(
    "trace of seed %i, %s",
    (seed, profile, trace) => {
      const replay = new Replay(trace)
      for (const [number, step] of trace.steps.entries()) {
        if (!replay.take(step, `step ${number} (${step.op} at ${step.at}) of seed ${seed}, ${profile}`)) {
          abandoned.push(seed)
          return
        }
      }
      // Checks that views and diffs were compared: a trace without any would pass, too.
      expect(replay.comparedViews).toBeGreaterThan(trace.steps.length / 2)
      expect(replay.comparedDiffs).toBeGreaterThan(trace.steps.length / 5)
    },
  )

  it("follows at least 98 % of the traces to the end", () => {
    expect(abandoned.length).toBeLessThanOrEqual(Math.floor(traces.length / 50))
  })
})
