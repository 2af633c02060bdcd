import type { Server } from "rollcall/server"
import { STATUSES, type Cursor, type Device, type Line } from "./device.js"
import type { Names } from "./names.js"

/** How many rooms have a crowd at a time. */
const MAX_ROOMS = 20
/** The time between two moves of a crowd, in ms. */
const MOVE_MS = 120

const FIRST =
  "Ada Bea Cem Dora Eli Fay Gus Hana Ivo Jun Kaia Leo Mina Noor Otis Pia Quin Rosa Sami Tove Uma Vito Wren Yara Zeno"
const LAST = "Adams Brandt Costa Diaz Engel Frey Garcia Holm Ito Jansen"
const LINES = [
  "Hello!",
  "Who is new here?",
  "Reload your page: I do not see you leave.",
  "Be right back.",
  "I like how quiet this is.",
  "Does anybody have a spare charger?",
]

/** People without a browser, to show what a full room looks like. */
export interface Crowds {
  /** Makes the crowd of a room this large. Returns why not, if it does not. */
  resize(topic: string, size: number): string | undefined
  /** Sends the crowd of a room home. */
  end(topic: string): void
}

interface Member {
  readonly key: string
  readonly presence: { update(change: (meta: object) => object): unknown; end(): void }
}

/** Returns name `index` of the crowd: all first names come before one comes again. */
function nameOf(index: number): string {
  const [first, last] = [FIRST.split(" "), LAST.split(" ")]
  return `${first[index % first.length]} ${last[Math.floor(index / first.length) % last.length]}`
}

export function createCrowds(
  server: Pick<Server, "broadcast" | "presence">,
  names: Names,
  random: () => number = Math.random,
): Crowds {
  const crowds = new Map<string, { readonly members: Member[]; readonly timer: NodeJS.Timeout }>()

  function add(topic: string, index: number): Member {
    const name = nameOf(index)
    const { key, mark } = names.take(topic, `crowd ${index}`, name)
    const status = STATUSES[Number(index % 5 === 3) + 2 * Number(index % 7 === 5)] ?? "available"
    const meta: Device = { name, status, mark, crowd: true, since: Date.now() }
    return { key, presence: server.presence.track({ topic, key, meta }) }
  }

  /** Returns a function that makes one move of a crowd: a pointer moves on, and now and then somebody does something else. */
  function life(topic: string, members: readonly Member[]): () => void {
    const one = (): Member | undefined => members[Math.floor(random() * members.length)]
    const change = (member: Member | undefined, fields: Partial<Device>): unknown =>
      member?.presence.update((meta) => ({ ...meta, ...fields }))
    let walker = one()
    let writer: Member | undefined
    let moves = 0
    const phase = random() * 6
    return () => {
      moves += 1
      const at = phase + moves / 14
      const cursor: Cursor = { x: 0.5 + 0.4 * Math.sin(at), y: 0.5 + 0.35 * Math.sin(at * 1.7), from: walker?.key }
      server.broadcast(topic, "cursor", cursor)
      if (moves % 90 === 0) walker = one()
      if (moves % 25 === 0) change(one(), { status: STATUSES[Math.floor(random() * STATUSES.length)] ?? "busy" })
      if (moves % 60 === 20) change((writer = one()), { typing: true })
      if (moves % 60 === 45 && writer !== undefined) {
        const line: Line = { text: LINES[Math.floor(random() * LINES.length)] ?? "", from: writer.key }
        change(writer, { typing: false })
        server.broadcast(topic, "say", line)
      }
    }
  }

  function end(topic: string): void {
    const crowd = crowds.get(topic)
    crowds.delete(topic)
    clearInterval(crowd?.timer)
    for (const { presence } of crowd?.members ?? []) presence.end()
  }

  return {
    resize(topic, size) {
      // A page that is loaded again asks again. A new crowd of the same people would seem to come back.
      if (crowds.get(topic)?.members.length === size) return undefined
      end(topic)
      if (size === 0) return undefined
      if (crowds.size >= MAX_ROOMS) return `${MAX_ROOMS} other rooms are full of people: try again later`
      const members = Array.from({ length: size }, (_, index) => add(topic, index))
      crowds.set(topic, { members, timer: setInterval(life(topic, members), MOVE_MS).unref() })
      return undefined
    },
    end,
  }
}
