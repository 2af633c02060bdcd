/** All clients, in several processes, and the question whether each of them sees who is really there. */
import { nextMessage, start } from "./children.js"

const PROCESSES = 2

/** @typedef {{ kind: string, name: string, room: string, isIn: boolean, status: string, isJoined: boolean, connection: string, view: string }} User */

export class Crowd {
  /** What the clients have done so far. */
  counts = { entered: 0, left: 0, updated: 0, dropped: 0 }
  #children
  #reports = 0

  constructor(children) {
    this.#children = children
  }

  /** Starts the client processes. `onFatal` is called with each uncaught error. */
  static async start({ url, seed, clients, rooms, actionMs, onFatal }) {
    const count = Math.ceil(clients / PROCESSES / 2) * 2
    const children = Array.from({ length: PROCESSES }, (_, i) => {
      const child = start("clients.js", { url, seed: seed + i, count, first: i * count, rooms, actionMs })
      child.on("message", (/** @type {{ fatal?: string }} */ { fatal }) => fatal !== undefined && onFatal(fatal))
      return child
    })
    await Promise.all(children.map((child) => nextMessage(child, ({ started }) => started === true)))
    return new Crowd(children)
  }

  /** Lets the clients act, or lets them be. */
  act(acts) {
    for (const child of this.#children) child.send({ acts })
  }

  /** Asks all clients, and returns what is wrong: one line for each client whose view is not the truth. */
  async problems() {
    this.#reports += 1
    const report = this.#reports
    const answers = this.#children.map((child) => {
      const answer = nextMessage(child, (message) => message.report === report)
      child.send({ report })
      return answer
    })
    const reports = await Promise.all(answers)
    for (const name of Object.keys(this.counts)) {
      this.counts[name] = reports.reduce((sum, { counts }) => sum + counts[name], 0)
    }
    return problemsOf(reports.flatMap(({ users }) => users))
  }
}

/**
 * Returns a line for each client that does not see exactly the clients that are in its room, each with its last status.
 *
 * @param {readonly User[]} users
 */
export function problemsOf(users) {
  const there = users.filter(({ isIn }) => isIn)
  const absent = []
  const problems = []
  for (const room of new Set(there.map((user) => user.room))) {
    const inRoom = there.filter((user) => user.room === room)
    /** @type {Map<string, string[]>} */
    const statuses = new Map()
    for (const { name, status } of inRoom) statuses.set(name, [...(statuses.get(name) ?? []), status])
    const truth = Array.from(statuses, ([name, all]) => `${name}:${all.toSorted().join("+")}`).sort()
    for (const user of inRoom) {
      const who = `${user.kind} client ${user.name} in ${room} (${user.connection})`
      if (!user.isJoined) absent.push(`${who} is not connected`)
      else if (user.view !== truth.join(" ")) problems.push(`${who} ${differences(user.view.split(" "), truth)}`)
    }
  }
  return [...absent, ...problems]
}

function differences(seen, truth) {
  const wrong = seen.filter((user) => !truth.includes(user))
  const missing = truth.filter((user) => !seen.includes(user))
  return `saw ${wrong.join(" ") || "nothing more"}; true was ${missing.join(" ") || "nothing more"}`
}
