import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { Orswot, type FullState } from "../../src/crdt/orswot.ts"
import type { Diff } from "../../src/crdt/diff.ts"
import type { Delta } from "../../src/crdt/pending.ts"
import type { Row } from "../../src/crdt/row.ts"

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

function written(rows: readonly Row[]): string[] {
  const elements = rows.map((row) => `${row.topic}|${row.pid}|${row.key}|${String(row.meta["n"])}`)
  elements.sort()
  return elements
}

/** One replica of a trace, and whom it has in sight. */
class Replica {
  readonly set: Orswot
  readonly inSight: Set<string>

  constructor(ref: string) {
    this.set = new Orswot(ref)
    this.inSight = new Set([ref])
  }
}

class Replay {
  readonly #replicas: ReadonlyMap<string, Replica>
  readonly #messages = new Map<number, Delta | FullState | undefined>()

  constructor(trace: Trace) {
    this.#replicas = new Map(trace.replicas.map((ref) => [ref, new Replica(ref)]))
  }

  /** Takes a step and returns what there is to compare, ours beside Phoenix's. */
  take(step: Step): { ours: object; phoenix: object } {
    const { set, inSight } = this.#replicas.get(step.at)!
    const wasInSight = inSight.has(step.replica)
    const diff = this.#run(step, set, inSight)
    const online = written(set.online())
    if (step.joins === undefined || step.leaves === undefined) {
      return { ours: { online }, phoenix: { online: step.online ?? online } }
    }
    // Phoenix reports the rows of replicas that are down as well, and all rows again at each up and down: the diffs
    // that it ought to have reported are those rows that its view gains or loses.
    const again = step.op !== "merge" && wasInSight === inSight.has(step.replica)
    const seen = (element: string) =>
      !again && (step.op !== "merge" || inSight.has(element.split("|")[1]!.split(".")[0]!))
    return {
      ours: { online, joins: written(diff.joins), leaves: written(diff.leaves) },
      phoenix: { online: step.online, joins: step.joins.filter(seen), leaves: step.leaves.filter(seen) },
    }
  }

  #run(step: Step, set: Orswot, inSight: Set<string>): Diff {
    switch (step.op) {
      case "join":
        return set.join(step.pid, step.topic, step.key, { n: step.n })
      case "update":
        return set.update(step.pid, step.topic, step.key, { n: step.n })
      case "leave":
        return set.leave(step.pid, step.topic, step.key)
      case "leaveAll":
        return set.leaveAll(step.pid)
      case "replicaUp":
        inSight.add(step.replica)
        return set.replicaUp(step.replica)
      case "replicaDown":
        inSight.delete(step.replica)
        return set.replicaDown(step.replica)
      case "removeReplica":
        inSight.delete(step.replica)
        return set.removeReplica(step.replica)
      case "takeDelta":
        this.#messages.set(step.message, set.takeDelta())
        return { joins: [], leaves: [] }
      case "extract":
        this.#messages.set(step.message, set.extract(step.for, this.#replicas.get(step.for)!.set.clocks()))
        return { joins: [], leaves: [] }
      case "merge": {
        expect(this.#messages.has(step.message), `message ${step.message} is merged before it was made`).toBe(true)
        const message = this.#messages.get(step.message)
        return message === undefined ? { joins: [], leaves: [] } : set.merge(message)
      }
      default:
        throw new Error(`expected an operation of the traces, got ${step.op}`)
    }
  }
}

describe("shows what Phoenix shows, and reports what its view gains and loses", () => {
  it("has traces to replay", () => {
    expect(traces.length).toBeGreaterThan(0)
    expect(traces.every((trace) => trace.steps.length > 0)).toBe(true)
  })

  it.each(traces.map((trace) => [trace.seed, trace.profile, trace] as const))("seed %i, %s", (seed, profile, trace) => {
    const replay = new Replay(trace)
    for (const [number, step] of trace.steps.entries()) {
      const { ours, phoenix } = replay.take(step)
      expect(ours, `seed ${seed} (${profile}), step ${number}: ${step.op} at ${step.at}`).toEqual(phoenix)
    }
  })
})
