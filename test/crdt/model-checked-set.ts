import { expect } from "vitest"
import type { SetDiff } from "../../src/crdt/set-diff.ts"
import { Orswot, type FullState } from "../../src/crdt/orswot.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import type { Row } from "../../src/crdt/row.ts"
import { TombstoneSet, textOf, type ModelPayload } from "./tombstones.ts"

/** A message between two model-checked sets: the payload of the set and that of its model. */
export interface Message {
  /** `undefined` for the delta of a replica without changes. */
  readonly payload: Delta | FullState | undefined
  readonly modelPayload: ModelPayload
}

/** Returns a row as `topic|pid|key|n`. */
export const elementOf = (row: Row): string => `${row.topic}|${row.pid}|${row.key}|${String(row.meta["n"])}`

/**
 * A set together with its model. Both get the same operations, and the set is checked against the model.
 *
 * After each operation the set must show what the model shows. Its diff must be the difference between the views before
 * and after, and a join must name the row that it replaces exactly if a row left the same place.
 */
export class ModelCheckedSet {
  readonly set: Orswot
  readonly model: TombstoneSet
  /** The visible rows of the model, as sorted text. */
  online: readonly string[] = []

  constructor(ref: string) {
    this.set = new Orswot(ref)
    this.model = new TombstoneSet(ref)
  }

  join(pid: string, topic: string, key: string, n: number): SetDiff {
    this.model.join(pid, topic, key, n)
    return this.#checked(this.set.join(pid, topic, key, { n }))
  }

  update(pid: string, topic: string, key: string, n: number): SetDiff {
    this.model.update(pid, topic, key, n)
    return this.#checked(this.set.update(pid, topic, key, { n }))
  }

  leave(pid: string, topic: string, key: string): SetDiff {
    this.model.leave(pid, topic, key)
    return this.#checked(this.set.leave(pid, topic, key))
  }

  leaveAll(pid: string): SetDiff {
    this.model.leaveAll(pid)
    return this.#checked(this.set.leaveAll(pid))
  }

  replicaUp(ref: string): SetDiff {
    this.model.replicaUp(ref)
    return this.#checked(this.set.replicaUp(ref))
  }

  replicaDown(ref: string): SetDiff {
    this.model.replicaDown(ref)
    return this.#checked(this.set.replicaDown(ref))
  }

  removeReplica(ref: string): SetDiff {
    this.model.removeReplica(ref)
    return this.#checked(this.set.removeReplica(ref))
  }

  takeDelta(): Message & { readonly payload: Delta | undefined } {
    return { payload: this.set.takeDelta(), modelPayload: this.model.takeDelta() }
  }

  extract(requester: ModelCheckedSet): Message {
    return {
      payload: this.set.extract(requester.set.ref, requester.set.clocks()),
      modelPayload: this.model.extract(requester.model.context()),
    }
  }

  merge(message: Message): SetDiff {
    this.model.merge(message.modelPayload)
    return this.#checked(message.payload === undefined ? { joins: [], leaves: [] } : this.set.merge(message.payload))
  }

  #checked(diff: SetDiff): SetDiff {
    const before = new Set(this.online)
    this.online = sorted(this.model.online().map(textOf))
    const after = new Set(this.online)
    expectSame("online", this.set.online().map(elementOf), this.online)
    if (this.set.size !== this.online.length) expect(this.set.size).toBe(this.online.length)
    expectSame(
      "joins",
      diff.joins.map(elementOf),
      this.online.filter((element) => !before.has(element)),
    )
    expectSame(
      "leaves",
      diff.leaves.map(elementOf),
      [...before].filter((element) => !after.has(element)),
    )
    const left = new Map(diff.leaves.map((row) => [placeOf(row), row]))
    for (const join of diff.joins) expect(join.replaces).toBe(left.get(placeOf(join)))
    return diff
  }
}

const placeOf = ({ topic, pid, key }: Row) => JSON.stringify([topic, pid, key])

function sorted(elements: readonly string[]): string[] {
  const copy = [...elements]
  copy.sort()
  return copy
}

/**
 * Expects that two lists are equal. It compares them itself, because `toEqual` is slow, and calls that only if they
 * differ.
 */
function expectSame(what: string, actual: readonly string[], expected: readonly string[]): void {
  const [left, right] = [sorted(actual), sorted(expected)]
  if (left.join("\n") !== right.join("\n")) expect({ [what]: left }).toEqual({ [what]: right })
}
