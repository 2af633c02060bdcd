/**
 * Measures the set, next to a merge that looks at every row as the reference tracker does.
 *
 *     npx tsc -p tsconfig.json && node --expose-gc test/bench/crdt.js
 */
import { Orswot } from "../../dist/crdt/orswot.js"

const US_PER_MS = 1000

function median(samples) {
  const sorted = Float64Array.from(samples)
  sorted.sort()
  return sorted[sorted.length >> 1]
}

/**
 * Returns the median duration of `count` runs in µs, without `prepare`.
 *
 * @template Input
 * @param {number} count
 * @param {(input: Input, n: number) => unknown} run
 * @param {(n: number) => Input} [prepare] returns the input of a run
 */
function time(count, run, prepare) {
  const samples = []
  for (let i = 0; i < count; i++) {
    const input = /** @type {Input} */ (prepare?.(i))
    const start = performance.now()
    run(input, i)
    samples.push((performance.now() - start) * US_PER_MS)
  }
  return median(samples)
}

const fixed = Object.freeze({ status: "avail" })
const meta = (n) => ({ name: `user ${n}`, status: "avail", phx_ref: `F${n}` })

/** Returns a set with `rows` rows, 1 000 in each topic. */
function filled(ref, rows) {
  const set = new Orswot(ref)
  for (let n = 0; n < rows; n++) set.join(`${ref}.p${n}`, `room:${Math.floor(n / 1000)}`, `user${n}`, meta(n))
  return set
}

/** Returns two sets that have merged. Each has added `rows` rows. */
function pair(rows) {
  const [left, right] = [filled("left", rows), filled("right", rows)]
  left.replicaUp("right")
  right.replicaUp("left")
  left.merge(right.extract("left", left.clocks()))
  right.merge(left.extract("right", right.clocks()))
  left.takeDelta()
  right.takeDelta()
  return [left, right]
}

/** The simplest correct merge: all rows in one Map, and each is checked against the delta. */
class FullScan {
  #rows = new Map()
  constructor(rows) {
    for (const row of rows) this.#rows.set(`${row.topic}\n${row.pid}\n${row.key}`, row)
  }
  merge({ parts }) {
    const leaves = []
    for (const [id, row] of this.#rows) {
      const part = parts.get(row.ref)
      if (part === undefined) continue
      for (let i = 0; i < part.seen.length; i += 2) {
        if (part.seen[i] > row.clock || row.clock > part.seen[i + 1]) continue
        if (!part.rows.some((other) => other.clock === row.clock)) leaves.push([id, row])
      }
    }
    for (const [id] of leaves) this.#rows.delete(id)
    for (const { rows } of parts.values()) {
      for (const row of rows) this.#rows.set(`${row.topic}\n${row.pid}\n${row.key}`, row)
    }
    return leaves
  }
}

const lines = []
const line = (name, us, ratio = "") =>
  lines.push([name, us < 1000 ? `${us.toFixed(2)} µs` : `${(us / 1000).toFixed(1)} ms`, ratio])

/** Returns the used heap in bytes, after garbage collection. */
function heap() {
  for (let i = 0; i < 3; i++) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

if (globalThis.gc !== undefined) {
  const names = Array.from({ length: 100_000 }, (_, n) => [`p${n}`, `room:${Math.floor(n / 1000)}`, `user${n}`])
  const start = heap()
  const set = new Orswot("right")
  for (const [pid, topic, key] of names) set.join(pid, topic, key, fixed)
  set.takeDelta()
  const bytes = (heap() - start) / names.length
  lines.push(["heap per row, without its strings and meta", `${bytes.toFixed(0)} B`, `of ${set.online().length} rows`])
}

const merges = new Map()
for (const rows of [1000, 10_000, 100_000]) {
  const [left, right] = pair(rows / 2)
  const naive = new FullScan(left.online())
  const oneJoin = (i) => {
    right.join(`late${i}`, "room:0", `late${i}`, meta(i))
    const delta = right.takeDelta()
    if (delta === undefined) throw new Error("expected the delta of one join, got none")
    return delta
  }
  for (let i = 0; i < 2000; i++) left.merge(oneJoin(`w${i}`))
  const ours = time(500, (delta) => left.merge(delta), oneJoin)
  const scan = time(
    20,
    (delta) => naive.merge(delta),
    (i) => oneJoin(`n${i}`),
  )
  merges.set(rows, ours)
  line(
    `merge a one-join delta into ${rows} rows`,
    ours,
    `full scan ${scan.toFixed(0)} µs, ${(scan / ours).toFixed(0)}×`,
  )
}

lines.push([
  "  the same, 100 000 rows ÷ 1 000 rows",
  `${(merges.get(100_000) / merges.get(1000)).toFixed(2)}×`,
  "1 if independent",
])

{
  const deltas = (set) => {
    for (let i = 0; i < 100; i++) set.update(`right.p${i}`, "room:0", `user${i}`, meta(i))
    return set.takeDelta()
  }
  const [left, right] = pair(50_000)
  line(
    "merge a delta of 100 updates into 100 000 rows",
    time(
      50,
      (delta) => left.merge(delta),
      () => deltas(right),
    ),
  )
}

{
  const state = filled("right", 100_000).extract("left", new Map([["right", 0]]))
  const before = () => {
    const set = filled("left", 100_000)
    set.replicaUp("right")
    return set
  }
  line(
    "merge 100 000 rows into 100 000 others",
    time(5, (set) => set.merge(state), before),
  )
  const set = before()
  set.merge(state)
  line(
    "merge the same rows again",
    time(9, () => set.merge(state)),
  )
  line(
    "extract 100 000 rows",
    time(9, () => set.extract("right", new Map([["left", 0]]))),
  )
}

{
  const set = filled("right", 100_000)
  set.replicaUp("left")
  const each = 1000
  const rowIds = (i) =>
    Array.from({ length: each }, (_, at) => {
      const n = i * each + at
      return [`q${n}`, `room:${n % 100}`, `new${n}`]
    })
  const perCall = (run) =>
    time(
      100,
      (batch) => {
        for (const [pid, topic, key] of batch) run(pid, topic, key)
      },
      rowIds,
    ) / each
  line(
    "join, in a set of 100 000 rows and more",
    perCall((pid, topic, key) => set.join(pid, topic, key, fixed)),
  )
  line(
    "update",
    perCall((pid, topic, key) => set.update(pid, topic, key, fixed)),
  )
  line(
    "leave",
    perCall((pid, topic, key) => set.leave(pid, topic, key)),
  )
  line(
    "list a topic of 1 000 in a set of 100 000",
    time(500, () => set.list("room:42")),
  )
  line(
    "getByKey in that topic",
    time(500, () => set.getByKey("room:42", "user42500")),
  )
  line(
    "replicaDown and replicaUp of 100 000 rows",
    (() => {
      const other = new Orswot("other")
      other.replicaUp("right")
      other.merge(set.extract("other", new Map([["right", 0]])))
      return time(5, () => {
        other.replicaDown("right")
        other.replicaUp("right")
      })
    })(),
  )
}

const width = Math.max(...lines.map(([name]) => name.length))
for (const [name, figure, ratio] of lines) console.log(name.padEnd(width), figure.padStart(12), ` ${ratio}`)
