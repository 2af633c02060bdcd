// Compares the client with the Presence of npm phoenix, with the same frames. Prints medians of the processor time, because it
// contains no time of other programs. One thread collects the garbage: several would wait for each other, which counts as time, too.
// The clients take turns, so that a machine that gets slower or faster meanwhile does so for all of them.
// npx tsc -b && node --single-threaded-gc test/bench/client.js [--quick] [--only part-of-a-name] [--against path/to/the/dist/of/another/commit]
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Presence as Phoenix } from "phoenix"
import { Presence } from "../../dist/client/index.js"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc")

const quick = process.argv.includes("--quick")
const SIZES = quick ? [100, 1000, 10_000] : [100, 1000, 10_000, 100_000]
const valueOf = (option) => process.argv[process.argv.indexOf(option) + 1 || Infinity]
const other = valueOf("--against")
const only = valueOf("--only") ?? ""
const ROUNDS = quick ? 15 : 25
const WARM_UPS = 4
/** How many users the frames of one round have in all, at least. One frame of a small room is too short to be measured. */
const USERS_A_ROUND = 20_000

/** The clients by name. The ratio of a row is that of the first one to `rollcall`. */
const clients = other
  ? { before: (await import(pathToFileURL(resolve(other, "client/index.js")).href)).Presence, rollcall: Presence }
  : { phoenix: Phoenix, rollcall: Presence }
const [base] = Object.keys(clients)

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
const copyOf = (frame) => JSON.parse(JSON.stringify(frame))
const times = (count, make) => Array.from({ length: count }, (_, at) => make(at))

function room(Class, text, read) {
  const channel = new Channel()
  const presence = new Class(channel)
  presence.onSync(() => read?.(presence))
  channel.receive("presence_state", JSON.parse(text))
  return { channel, presence }
}

/** Diffs of new users, who have left at the end of a round. */
const DIFFS = {
  "one join": (key) => ({ joins: { [key]: user(key) }, leaves: {} }),
  "one update": (key) => ({ joins: { [key]: user(`${key}b`, key) }, leaves: { [key]: user(key) } }),
  "one leave": (key) => ({ joins: {}, leaves: { [key]: user(`${key}b`, key) } }),
}

const live = (name) => (Class, text) => {
  const { channel } = room(Class, text)
  const receive = (diffs) => {
    for (const diff of diffs) channel.receive("presence_diff", diff)
  }
  const names = Object.keys(DIFFS)
  return (round) => {
    const keys = times(2000, (at) => `new:${round}:${at}`)
    const frames = names.map((each) => keys.map((key) => copyOf(DIFFS[each](key))))
    const at = names.indexOf(name)
    receive(frames.slice(0, at).flat())
    return { count: keys.length, run: () => receive(frames[at]), after: () => receive(frames.slice(at + 1).flat()) }
  }
}

/** What a view that is read after each change costs: `read` gets the Presence. */
const readAfterJoin = (read) => (Class, text, n) => {
  const count = Math.max(20, Math.min(1000, Math.floor((Class === Phoenix ? 40_000 : 4_000_000) / n)))
  return (round) => {
    const { channel } = room(Class, text, read)
    const diffs = times(count, (at) => DIFFS["one join"](`new:${round}:${at}`))
    const run = () => {
      for (const diff of diffs) channel.receive("presence_diff", diff)
    }
    return { count, run }
  }
}

/** Client → its latest room. Without a living one, the optimized code would be collected, and compiled anew in each round. */
const latest = new Map()

const framesOf = (n) => Math.ceil(USERS_A_ROUND / n)

/**
 * The measured operations. Each is a function of a client's class, a state as text and its number of users. It returns a function that
 * prepares a round: what is measured, how many operations that is, and what is done afterwards.
 */
const operations = {
  "one join, live": live("one join"),
  "one update, live": live("one update"),
  "one leave, live": live("one leave"),
  "full state": (Class, text, n) => () => {
    const frames = times(framesOf(n), () => JSON.parse(text))
    const run = () => {
      for (const state of frames) {
        const channel = new Channel()
        const presence = new Class(channel)
        latest.set(Class, presence)
        presence.onSync(() => {})
        channel.receive("presence_state", state)
      }
    }
    return { count: frames.length, run }
  },
  "rejoin, nothing changed": (Class, text, n) => {
    const { channel, presence } = room(Class, text)
    const before = presence.list()
    let join = 1
    return () => {
      const frames = times(framesOf(n), () => JSON.parse(text))
      const run = () => {
        for (const state of frames) {
          channel.join = String(++join)
          channel.receive("presence_state", state)
        }
      }
      const after = () => {
        if (Class === Presence && presence.list().some((each, at) => each !== before[at]))
          throw new Error("identity changed")
      }
      return { count: frames.length, run, after }
    }
  },
  "list()": (Class, text, n) => {
    const { presence } = room(Class, text)
    const count = Math.ceil((USERS_A_ROUND * (Class === Phoenix ? 1 : 20)) / n)
    return () => ({ count, run: () => times(count, () => presence.list()) })
  },
  "a join, and list() in onSync": readAfterJoin((presence) => presence.list()),
  // As a rendered view needs it. phoenix.js has no counterpart.
  "a join, and a new snapshot": readAfterJoin((presence) => presence.store.getSnapshot()),
}

const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1]

/** Returns the median duration of an operation, in ms, of each client. */
function measure(operation, names, n) {
  const text = JSON.stringify(stateOf(n))
  const prepared = names.map((name) => operation(clients[name], text, n))
  const durations = names.map(() => [])
  const until = performance.now() + (quick ? 8000 : 40_000)
  for (let round = 0; round < WARM_UPS + ROUNDS && (round < WARM_UPS + 3 || performance.now() < until); round++) {
    for (const turn of names.keys()) {
      const at = (turn + round) % names.length
      const { count, run, after } = prepared[at](round)
      collect()
      const start = process.cpuUsage()
      run()
      const { user, system } = process.cpuUsage(start)
      after?.()
      if (round >= WARM_UPS) durations[at].push((user + system) / 1000 / count)
    }
  }
  return durations.map(median)
}

const formatted = (ms) =>
  ms < 0.1 ? `${(ms * 1000).toFixed(2)} µs` : ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(0)} ms`

console.log(`| operation | users | ${base} | rollcall | ratio |`)
console.log("| --- | ---: | ---: | ---: | ---: |")
for (const [name, operation] of Object.entries(operations)) {
  for (const n of name.includes(only) ? SIZES : []) {
    const isBoth = other || !name.includes("snapshot")
    const [ours, theirs] = measure(operation, isBoth ? ["rollcall", base] : ["rollcall"], n)
    const [than, ratio] = theirs ? [formatted(theirs), `${(theirs / ours).toFixed(other ? 2 : 1)} ×`] : ["–", "–"]
    console.log(`| ${name} | ${n} | ${than} | ${formatted(ours)} | ${ratio} |`)
  }
}

if (!other && !only) {
  // The first view of a room, in a table of its own.
  console.log()
  await import("./first-snapshot.js")
}
