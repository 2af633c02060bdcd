import { expect } from "vitest"
import type { SetDiff } from "../../src/crdt/set-diff.ts"
import { Orswot, type FullState } from "../../src/crdt/orswot.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import type { Row } from "../../src/crdt/row.ts"
import { TombstoneSet, written, type News } from "./tombstones.ts"

export interface Message {
  /** `undefined` for a delta of a replica to which nothing happened. */
  readonly payload: Delta | FullState | undefined
  readonly news: News
}

export const elementOf = (row: Row): string => `${row.topic}|${row.pid}|${row.key}|${String(row.meta["n"])}`

/**
 * A set and its model, given the same operations.
 *
 * After each of them the set must show what the model shows, and must have reported the difference between the former
 * view and this one; updates must be told apart from a leave and a join that have nothing to do with each other.
 */
export class Twin {
  readonly set: Orswot
  readonly model: TombstoneSet
  /** What is shown, as sorted elements. */
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
    return { payload: this.set.takeDelta(), news: this.model.takeDelta() }
  }

  extract(asker: Twin): Message {
    return {
      payload: this.set.extract(asker.set.ref, asker.set.clocks()),
      news: this.model.extract(asker.model.context()),
    }
  }

  merge(message: Message): SetDiff {
    this.model.merge(message.news)
    return this.#checked(message.payload === undefined ? { joins: [], leaves: [] } : this.set.merge(message.payload))
  }

  #checked(diff: SetDiff): SetDiff {
    const before = new Set(this.online)
    this.online = sorted(this.model.online().map(written))
    const after = new Set(this.online)
    same("online", this.set.online().map(elementOf), this.online)
    if (this.set.size !== this.online.length) expect(this.set.size).toBe(this.online.length)
    same(
      "joins",
      diff.joins.map(elementOf),
      this.online.filter((element) => !before.has(element)),
    )
    same(
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

/** Like `expect(…).toEqual(…)`, without its cost where all is well. */
function same(what: string, ours: readonly string[], models: readonly string[]): void {
  const [left, right] = [sorted(ours), sorted(models)]
  if (left.join("\n") !== right.join("\n")) expect({ [what]: left }).toEqual({ [what]: right })
}
