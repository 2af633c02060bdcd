// Measures the first view of a room: from the text of a state to a list of its users, and the memory that the view holds. Prints
// medians of the processor time, because it contains the garbage collector's threads, and no time of other programs. Each client
// has a process of its own, because they share the engine's object shapes otherwise.
// npx tsc -b && node test/bench/first-snapshot.js [--quick]
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { RealtimePresence } from "@supabase/realtime-js"
import { Presence as Phoenix } from "phoenix"
import { Presence } from "../../dist/client/index.js"

/**
 * Yjs and its awareness protocol, if they are installed: `npm install --no-save yjs y-protocols`.
 *
 * @returns {Promise<[any, any] | undefined>}
 */
const importYjs = async (names = ["yjs", "y-protocols/awareness"]) =>
  /** @type {any} */ (await Promise.all(names.map((name) => import(name))).catch(() => undefined))
const yjs = await importYjs()

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc")
const SIZES = process.argv.includes("--quick") ? [1000, 10_000] : [1000, 10_000, 100_000]
const RUNS = 15
const WARM_UPS = 5

/** A channel that passes a state on to its callbacks. */
class Channel {
  /** @type {Record<string, (payload: unknown, ref: null, join: string) => void>} */
  #callbacks = {}
  /** @type {any} */
  on = (/** @type {string} */ event, /** @type {any} */ callback) => {
    this.#callbacks[event] = callback
    return 0
  }
  off() {}
  trigger() {}
  joinRef = () => "1"
  getChannel = () => this
  channelAdapter = this
  /** @param {string} text */
  receive(text) {
    this.#callbacks["presence_state"]?.(JSON.parse(text), null, "1")
  }
}

/**
 * Each returns what a page would hold.
 *
 * @type {Record<string, (text: string) => unknown>}
 */
const views = {
  "JSON.parse alone": (text) => JSON.parse(text),
  rollcall(text) {
    const channel = new Channel()
    const presence = new Presence(channel)
    channel.receive(text)
    return [presence, presence.store.getSnapshot()]
  },
  phoenix(text) {
    const channel = new Channel()
    const presence = new Phoenix(/** @type {any} */ (channel))
    channel.receive(text)
    return [presence, presence.list()]
  },
  supabase(text) {
    const channel = new Channel()
    const presence = new RealtimePresence(/** @type {any} */ (channel))
    channel.receive(text)
    return [presence, presence.state]
  },
}

const metaOf = (/** @type {number} */ at) => ({ name: `name of ${at}`, status: "online", online_at: "1795459422" })

const stateOf = (/** @type {number} */ size) =>
  JSON.stringify(
    Object.fromEntries(
      Array.from({ length: size }, (_, at) => [`user:${at}`, { metas: [{ phx_ref: `ref${at}`, ...metaOf(at) }] }]),
    ),
  )

/** Returns the view of Yjs and a message with `size` clients, which each have the meta and the key of a user. */
function yjsView(/** @type {number} */ size) {
  const [{ Doc }, { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate }] = /** @type {any[]} */ (yjs)
  const sender = new Awareness(new Doc())
  for (let at = 1; at <= size; at += 1) {
    sender.states.set(at, { key: `user:${at}`, ...metaOf(at) })
    sender.meta.set(at, { clock: 1, lastUpdated: Date.now() })
  }
  const update = encodeAwarenessUpdate(
    sender,
    Array.from({ length: size }, (_, at) => at + 1),
  )
  return () => {
    const awareness = new Awareness(new Doc())
    applyAwarenessUpdate(awareness, update, "server")
    return [awareness, [...awareness.getStates()]]
  }
}

/** Returns the bytes that `copies` views hold, for each of them. */
function memoryOf(/** @type {() => unknown} */ view, copies = 3) {
  const used = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = used()
  const held = Array.from({ length: copies }, view)
  const bytes = used() - before
  return held.length > 0 ? bytes / copies : 0
}

const median = (/** @type {number[]} */ times) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0

/** Returns the median processor time, in ms, and the bytes held, of one client. */
function measure(/** @type {string} */ name, /** @type {number} */ size) {
  const text = stateOf(size)
  const view = name === YJS ? yjsView(size) : views[name]
  if (!view) throw new Error(`expected one of ${names.join(", ")}, got ${name}`)
  const times = []
  // As in a page, there is a view already. In an empty heap, the collector would run more often.
  let held = view(text)
  for (let run = -WARM_UPS; run < RUNS; run++) {
    collect()
    const start = process.cpuUsage()
    held = view(text)
    const { user, system } = process.cpuUsage(start)
    if (run >= 0) times.push((user + system) / 1000)
  }
  return { took: median(times), bytes: memoryOf(() => view(text)), isHeld: held !== undefined }
}

const YJS = "y-protocols"
const names = [...Object.keys(views), ...(yjs === undefined ? [] : [YJS])]
const [name, size] = process.argv.slice(2)
if (name !== undefined && names.includes(name)) {
  console.log(JSON.stringify(measure(name, Number(size))))
  // Each awareness of Yjs has a timer.
  process.exit()
} else {
  console.log("| from the text to the first list | users | time | of JSON.parse | memory a user |")
  console.log("| --- | ---: | ---: | ---: | ---: |")
  for (const users of SIZES) {
    let parse = 0
    for (const each of names) {
      const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), each, String(users)])
      const { took, bytes } = JSON.parse(output.toString())
      parse ||= took
      const row = [
        each,
        users,
        `${took.toFixed(1)} ms`,
        `${(took / parse).toFixed(1)} ×`,
        `${(bytes / users).toFixed(0)} B`,
      ]
      console.log(`| ${row.join(" | ")} |`)
    }
  }
}
