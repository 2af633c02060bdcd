// Compares the client with the Presence of npm phoenix, in the same run, with the same frames. Prints medians.
// npx tsc -b && node test/bench/client.js [--quick]
import { Presence as Phoenix } from "phoenix"
import { Presence } from "../../dist/client/index.js"

const quick = process.argv.includes("--quick")
const SIZES = quick ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000]

/** A channel that passes payloads on to its callbacks, as phoenix does with decoded frames. */
class Channel {
  #callbacks = {}
  join = "1"
  on(event, callback) {
    this.#callbacks[event] = callback
    return 0
  }
  joinRef() {
    return this.join
  }
  receive(event, payload) {
    this.#callbacks[event](payload, null, this.join)
  }
}

const meta = (ref, previous) => ({
  phx_ref: ref,
  ...(previous ? { phx_ref_prev: previous } : {}),
  name: `name of ${ref}`,
  status: "online",
  online_at: "1795459422",
})
const user = (...args) => ({ metas: [meta(...args)] })
const stateOf = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`user:${i}`, user(`ref${i}`)]))
// Each frame is parsed anew, as one from the network is. Shared objects would make comparisons too cheap.
const parsed = (text) => JSON.parse(text)

const median = (times) => {
  times.sort((a, b) => a - b)
  return times[times.length >> 1]
}

/** Returns the median duration of `run(prepare(i))` in ms, without `prepare`. Stops early if the runs take long. */
function time(times, prepare, run) {
  const durations = []
  const until = performance.now() + (quick ? 1500 : 6000)
  for (let i = 0; i < times && (i < 2 || performance.now() < until); i++) {
    const prepared = prepare(i)
    const start = performance.now()
    run(prepared)
    durations.push(performance.now() - start)
  }
  return median(durations)
}

function room(Class, text) {
  const channel = new Channel()
  const presence = new Class(channel)
  presence.onSync(() => {})
  channel.receive("presence_state", parsed(text))
  return { channel, presence }
}

const diffs = (i, of) => Array.from({ length: 500 }, (_, j) => parsed(JSON.stringify(of(`new:${i}:${j}`))))

/** The measured operations. Each returns its median duration in ms on a room with the presences in `text`. */
const operations = {
  /** The mean over many single diffs, because one takes less than the resolution of the clock. */
  live(Class, text) {
    const { channel } = room(Class, text)
    const run = (all) => {
      for (const diff of all) channel.receive("presence_diff", diff)
    }
    const rounds = quick ? 20 : 60
    const results = { "one join": [], "one update": [], "one leave": [] }
    const measure = (name, all) => {
      const start = performance.now()
      run(all)
      results[name].push((performance.now() - start) / all.length)
    }
    for (let i = 0; i < rounds; i++) {
      measure(
        "one join",
        diffs(i, (key) => ({ joins: { [key]: user(key) }, leaves: {} })),
      )
      measure(
        "one update",
        diffs(i, (key) => ({ joins: { [key]: user(`${key}b`, key) }, leaves: { [key]: user(key) } })),
      )
      measure(
        "one leave",
        diffs(i, (key) => ({ joins: {}, leaves: { [key]: user(`${key}b`, key) } })),
      )
    }
    return Object.fromEntries(Object.entries(results).map(([name, times]) => [`${name}, live`, median(times)]))
  },
  "full state": (Class, text) =>
    time(
      20,
      () => [new Channel(), parsed(text)],
      ([channel, state]) => {
        const presence = new Class(channel)
        presence.onSync(() => {})
        channel.receive("presence_state", state)
      },
    ),
  "rejoin, nothing changed": (Class, text) => {
    const { channel, presence } = room(Class, text)
    const before = presence.list()
    const took = time(
      20,
      (i) => {
        channel.join = String(i + 2)
        return parsed(text)
      },
      (state) => channel.receive("presence_state", state),
    )
    if (Class === Presence && presence.list().some((each, at) => each !== before[at]))
      throw new Error("identity changed")
    return took
  },
  "list()": (Class, text) => {
    const { presence } = room(Class, text)
    return time(
      50,
      () => {},
      () => presence.list(),
    )
  },
  "a join, and list() in onSync": (Class, text, n) => {
    const { channel, presence } = room(Class, text)
    presence.onSync(() => presence.list())
    const joins = n >= 100_000 ? 20 : n >= 10_000 && Class === Phoenix && quick ? 200 : 1000
    const diffs = Array.from({ length: joins }, (_, i) => ({ joins: { [`new:${i}`]: user(`new:${i}`) }, leaves: {} }))
    const start = performance.now()
    for (const diff of diffs) channel.receive("presence_diff", diff)
    return (performance.now() - start) / joins
  },
}

const formatted = (ms) =>
  ms < 0.1 ? `${(ms * 1000).toFixed(2)} µs` : ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(0)} ms`

console.log("| operation | users | phoenix | rollcall | ratio |")
console.log("| --- | ---: | ---: | ---: | ---: |")
for (const [name, operation] of Object.entries(operations)) {
  const rows = new Map()
  for (const n of SIZES) {
    const text = JSON.stringify(stateOf(n))
    for (const Class of [Phoenix, Presence]) operation(Class, JSON.stringify(stateOf(100)), 100) // Warms up the code.
    const of = (Class) => {
      const result = operation(Class, text, n)
      return typeof result === "number" ? { [name]: result } : result
    }
    const [theirs, ours] = [of(Phoenix), of(Presence)]
    for (const row of Object.keys(ours)) {
      const line = `| ${row} | ${n} | ${formatted(theirs[row])} | ${formatted(ours[row])} | ${(theirs[row] / ours[row]).toFixed(1)} × |`
      rows.set(row, [...(rows.get(row) ?? []), line])
    }
  }
  for (const lines of rows.values()) console.log(lines.join("\n"))
}
// The snapshot after each change, as a rendered view needs it. phoenix.js has no counterpart.
for (const n of SIZES) {
  const { channel, presence } = room(Presence, JSON.stringify(stateOf(n)))
  presence.store.getSnapshot()
  const took = time(
    200,
    (i) => ({ joins: { [`new:${i}`]: user(`new:${i}`) }, leaves: {} }),
    (diff) => {
      channel.receive("presence_diff", diff)
      presence.store.getSnapshot()
    },
  )
  console.log(`| a join, and a new snapshot | ${n} | – | ${formatted(took)} | – |`)
}

// The first view of a room, in a table of its own.
console.log()
await import("./first-snapshot.js")
