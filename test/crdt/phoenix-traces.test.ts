import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import type { SetDiff } from "../../src/crdt/set-diff.ts"
import { elementOf, Twin, type Message } from "./model-checked-set.ts"

/**
 * What the state module of phoenix_pubsub showed, operation for operation, in runs in which it was right.
 *
 * `TRACKER_TRACES` names another file of the same form. Elements are written `topic|pid|key|n`; the pids of a trace
 * begin with their replica, as in `r0.p1`.
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
  readonly #replicas: ReadonlyMap<string, Twin>
  readonly #messages = new Map<number, Message>()

  constructor(trace: Trace) {
    this.#replicas = new Map(trace.replicas.map((ref) => [ref, new Twin(ref)]))
  }

  /** Takes a step and requires what Phoenix showed; `false` if from here on Phoenix shows what is known to be over. */
  take(step: Step, where: string): boolean {
    const twin = this.#replicas.get(step.at)!
    const wasInSight = twin.model.context().has(step.replica)
    const diff = this.#run(step, twin)
    if (step.online === undefined) return true
    if (resurrects(step.online, twin)) return false
    expect(twin.online, `online after ${where}`).toEqual(step.online)
    if (diff === undefined || step.joins === undefined || step.leaves === undefined) return true
    // Phoenix reports the rows of replicas that are down as well, and all rows again at each up and down. What it ought
    // to report is what its view gains and loses.
    const inSight = twin.model.context()
    const again = step.op !== "merge" && wasInSight === inSight.has(step.replica)
    const shown = (element: string) => step.op !== "merge" || inSight.has(element.split("|")[1]!.split(".")[0]!)
    const [joins, leaves] = again ? [[], []] : [step.joins.filter(shown), step.leaves.filter(shown)]
    expect(diff.joins.map(elementOf), `joins of ${where}`).toHaveLength(joins.length)
    expect(new Set(diff.joins.map(elementOf)), `joins of ${where}`).toEqual(new Set(joins))
    expect(diff.leaves.map(elementOf), `leaves of ${where}`).toHaveLength(leaves.length)
    expect(new Set(diff.leaves.map(elementOf)), `leaves of ${where}`).toEqual(new Set(leaves))
    return true
  }

  #run(step: Step, twin: Twin): SetDiff | undefined {
    switch (step.op) {
      case "join":
        return twin.join(step.pid, step.topic, step.key, step.n)
      case "update":
        return twin.update(step.pid, step.topic, step.key, step.n)
      case "leave":
        return twin.leave(step.pid, step.topic, step.key)
      case "leaveAll":
        return twin.leaveAll(step.pid)
      case "replicaUp":
        return twin.replicaUp(step.replica)
      case "replicaDown":
        return twin.replicaDown(step.replica)
      case "removeReplica":
        return twin.removeReplica(step.replica)
      case "takeDelta":
        this.#messages.set(step.message, twin.takeDelta())
        return undefined
      case "extract":
        this.#messages.set(step.message, twin.extract(this.#replicas.get(step.for)!))
        return undefined
      case "merge":
        return twin.merge(this.#messages.get(step.message)!)
      default:
        throw new Error(`expected an operation of the traces, got ${step.op}`)
    }
  }
}

/**
 * Whether Phoenix's view is ours and presences besides whose removal has reached this replica (D1: Phoenix takes the
 * dot of a removed row out of its cloud). It heals with the next full transfer, so that a trace can hold such a view
 * for a while and still end well; from there on the trace is no measure.
 */
function resurrects(phoenix: readonly string[], twin: Twin): boolean {
  const ours = new Set(twin.online)
  const extra = phoenix.filter((element) => !ours.has(element))
  const over = extra.every((element) => twin.model.knowsOver(Number(element.split("|")[3])))
  return extra.length > 0 && over && phoenix.length - extra.length === ours.size
}

describe("shows what Phoenix shows, and reports what its view gains and loses", () => {
  it("has traces to replay", () => {
    expect(traces.length).toBeGreaterThan(0)
    expect(traces.every((trace) => trace.steps.length > 0)).toBe(true)
  })

  const resurrections: number[] = []
  it.each(traces.map((trace) => [trace.seed, trace.profile, trace] as const))("seed %i, %s", (seed, profile, trace) => {
    const replay = new Replay(trace)
    for (const [number, step] of trace.steps.entries()) {
      if (!replay.take(step, `step ${number} (${step.op} at ${step.at}) of seed ${seed}, ${profile}`)) {
        resurrections.push(seed)
        return
      }
    }
  })

  it("follows nearly all of them to the end", () => {
    expect(resurrections.length).toBeLessThanOrEqual(Math.floor(traces.length / 50))
  })
})
