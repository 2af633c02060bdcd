import fc from "fast-check"
import { expect, test } from "vitest"
import type { Row } from "../../src/crdt/row.ts"
import { RowsByTopic } from "../../src/crdt/rows-by-topic.ts"

const topic = fc.constantFrom("lobby", "hall")
const place = fc.record({ topic, key: fc.nat(40), pid: fc.nat(2) })
const steps = fc.array(
  fc.oneof(
    fc.record({ add: fc.array(place, { maxLength: 40 }) }),
    fc.record({ add: fc.array(place, { minLength: 60, maxLength: 80 }) }),
    fc.record({ remove: fc.array(place, { maxLength: 80 }) }),
    fc.record({ replace: place }),
    fc.record({ removeAllOf: topic }),
  ),
  { maxLength: 12 },
)

let lastClock = 0
function rowAt({ topic, key, pid }: { topic: string; key: number; pid: number }): Row {
  return { topic, key: `user${key}`, pid: `p${pid}`, meta: {}, ref: "r", clock: (lastClock += 1) }
}

/** The rows as a Map of topics, of keys, of pids: a Map keeps the order of what was added and replaced. */
class Model {
  readonly #topics = new Map<string, Map<string, Map<string, Row>>>()

  topics(): Set<string> {
    return new Set(this.#topics.keys())
  }

  find({ topic, key, pid }: Row): Row | undefined {
    return this.#topics.get(topic)?.get(key)?.get(pid)
  }

  set(row: Row): void {
    const keys = this.#topics.get(row.topic) ?? new Map<string, Map<string, Row>>()
    this.#topics.set(row.topic, keys)
    keys.set(row.key, (keys.get(row.key) ?? new Map<string, Row>()).set(row.pid, row))
  }

  remove({ topic, key, pid }: Row): void {
    const keys = this.#topics.get(topic)
    const rows = keys?.get(key)
    rows?.delete(pid)
    if (rows?.size === 0) keys?.delete(key)
    if (keys?.size === 0) this.#topics.delete(topic)
  }

  list(topic: string): Row[] {
    return [...(this.#topics.get(topic)?.values() ?? [])].flatMap((rows) => [...rows.values()])
  }
}

test("a row is listed behind all others of its key, wherever they are", () => {
  const rows = new RowsByTopic()
  const given = [
    [0, 1],
    [0, 0],
    [1, 0],
    [0, 2],
    [1, 2],
    [1, 1],
  ]
  for (const [key, pid] of given) rows.add(rowAt({ topic: "lobby", key: key!, pid: pid! }))
  const listed = rows.list("lobby").map(({ key, pid }) => `${key} ${pid}`)
  expect(listed).toEqual(["user0 p1", "user0 p0", "user0 p2", "user1 p0", "user1 p2", "user1 p1"])
})

test("rows are found and listed topic by topic and key by key in order of arrival, however topics grow and shrink", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const rows = new RowsByTopic()
      const model = new Model()
      const remove = (row: Row): void => {
        rows.delete(row)
        model.remove(row)
      }
      for (const step of history) {
        if ("add" in step) {
          for (const row of step.add.map(rowAt)) {
            const existing = model.find(row)
            expect(rows.add(row)).toBe(existing)
            if (existing === undefined) model.set(row)
          }
        } else if ("replace" in step) {
          const row = rowAt(step.replace)
          if (model.find(row) === undefined) continue
          rows.replace(row)
          model.set(row)
        } else {
          const removed = "remove" in step ? step.remove.map(rowAt) : model.list(step.removeAllOf)
          for (const row of removed) remove(row)
        }

        expect(new Set(rows.topics())).toEqual(model.topics())
        for (const name of ["lobby", "hall", "other"]) {
          const ofTopic = model.list(name)
          expect(rows.list(name)).toEqual(ofTopic)
          for (const key of ["user0", "user1", "user17"]) {
            const ofKey = ofTopic.filter((row) => row.key === key)
            expect(rows.byKey(name, key)).toEqual(ofKey)
            expect(rows.countByKey(name, key)).toBe(ofKey.length)
            expect(rows.find(name, key, "p1")).toBe(ofKey.find(({ pid }) => pid === "p1"))
          }
        }
      }
    }),
  )
})
