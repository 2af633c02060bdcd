// A process of clients. On request they act: enter, leave, update, lose their connections. On request it reports what each
// of them wants to be true, and what each of them sees.
import { mulberry32 } from "rollcall/testing"
import { PhoenixUser } from "./phoenix-user.js"
import { RollcallUser } from "./rollcall-user.js"

const { url, seed, count, first, rooms, actionMs } = JSON.parse(process.argv[2])
const random = mulberry32(seed)
const pick = (items) => items[Math.floor(random() * items.length)]

process.on("disconnect", () => process.exit())
const report = (kind) => (error) => process.send?.({ fatal: `clients ${kind}: ${error?.stack ?? error}` })
process.on("uncaughtException", report("uncaught exception"))
process.on("unhandledRejection", report("unhandled rejection"))

const users = Array.from({ length: count }, (_, i) => {
  const index = first + i
  const User = index % 2 === 0 ? PhoenixUser : RollcallUser
  // Every second pair of users has one name, so that there are users with two devices.
  const name = `u${index % 8 < 2 ? index - (index % 2) : index}`
  return new User({ url, name, room: rooms[Math.floor(index / 2) % rooms.length], random })
})
const counts = { entered: 0, left: 0, updated: 0, dropped: 0 }

function act() {
  const user = pick(users)
  const dice = random()
  if (!user.isIn) {
    if (dice < 0.6) {
      counts.entered += 1
      user.enter()
    }
  } else if (dice < 0.6) {
    counts.updated += 1
    user.update(`s${counts.updated}`)
  } else if (dice < 0.8) {
    counts.left += 1
    user.leave()
  } else if (dice < 0.9) {
    counts.dropped += 1
    user.drop()
  }
}

for (const user of users) if (random() < 0.7) user.enter()

/** Returns one text for each view, so that equal views are equal texts. */
const textOf = (view) =>
  view
    .map(([key, statuses]) => `${key}:${statuses.toSorted().join("+")}`)
    .sort()
    .join(" ")

let timer
process.on("message", (/** @type {{ acts?: boolean, report?: number }} */ { acts, report }) => {
  if (acts === true) timer ??= setInterval(act, actionMs)
  if (acts === false) {
    clearInterval(timer)
    timer = undefined
  }
  if (report === undefined) return
  process.send?.({
    report,
    counts,
    users: users.map((user) => {
      const { kind, name, room, isIn, status, isJoined, connection } = user
      return { kind, name, room, isIn, status, isJoined, connection, view: isIn ? textOf(user.view()) : "" }
    }),
  })
})
process.send?.({ started: true })
