/**
 * Measures what the presences of another node cost a whole server that has no clients: the heap for each, after garbage collection.
 *
 *     npm run build && node test/bench/server-rows.js [--rooms 20000]
 *
 * One node tracks five presences in each room, with a meta of one field. One server gets them as changes, another one starts later and
 * gets them as a state. Each is a process.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { relay } from "rollcall/pubsub"
import { Child } from "./server/child.js"

const { values } = parseArgs({ options: { rooms: { type: "string", default: "20000" } } })
const rooms = Number(values.rooms)
const bus = relay()
const start = (node) => Child.start("./servers/rollcall.js", { node }, { execArgv: ["--expose-gc"], bus })
const heapOf = async (child) => (await child.run("memory")).heap

/** Resolves to the heap of a server once it has stopped growing: all rows have arrived. */
async function settled(child) {
  for (let before = 0, heap = await heapOf(child); ; [before, heap] = [heap, await heapOf(child)]) {
    if (Math.abs(heap - before) < 10_000) return heap
    await sleep(1000)
  }
}

const [owner, early] = [await start("owner"), await start("early")]
const empty = await settled(early)
const rows = await owner.run("fillRooms", { rooms })
const late = await start("late")
const perRow = async (child) => `${Math.round(((await settled(child)) - empty) / rows)} B`
console.log(`${rows} presences of another node, in ${rooms} rooms; heap of a server for each`)
console.table({ "which came as changes": await perRow(early), "which came as a state": await perRow(late) })
for (const child of [owner, early, late]) await child.stop()
process.exit()
