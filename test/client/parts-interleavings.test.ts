/**
 * A room with everything at once: grace and kept leaves, validation, views, sorted and grouped lists, our own user, changes of rooms
 * within the linger, pauses, and a network that breaks or seems to. After each step all parts agree, and at rest with the server.
 *
 * `RUNS=20000 npx vitest run --config test/vitest.config.ts client/parts-interleavings` runs more of them.
 */
import fc from "fast-check"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { z } from "zod"
import { connect, defineRoom, groupBy, sortBy, type Change, type Entry, type Room } from "../../src/client/index.ts"
import type { Signal } from "../../src/client/signals.ts"
import { clock } from "../support/clock.ts"
import { meta } from "../support/presences.ts"
import { scriptedTransport, type Sent } from "../support/scripted-websocket.ts"

const RUNS = Number(process.env["RUNS"] ?? 150)
const TOPIC = "rooms:1"
const KEYS = ["me", "constructor", "__proto__", "7"]
const LONG_MS = 60_000

beforeEach(() => {
  vi.useFakeTimers()
  // Three attempts that are given up in a row are reported.
  vi.spyOn(console, "warn").mockImplementation(() => {})
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

type Fields = { n: number; at?: unknown }
type Device = { readonly phx_ref: string; readonly n: unknown; readonly phx_ref_prev?: string }
type Options = { graceMs: number; keepLeftMs: number; isChecked: boolean; isKept: boolean; isNamed: boolean }

const definition = defineRoom("rooms:*", {
  meta: z.object({ n: z.number().transform((n) => n % 100) }).transform((each) => ({ ...each, at: new Date(each.n) })),
})

/** An invalid meta has none. */
const numberOf = ({ metas: [{ n }] }: Entry<Fields>): number => Number(n) || 0
const byNumber = (a: Entry<Fields>, b: Entry<Fields>): number => numberOf(a) - numberOf(b)
const parity = (user: Entry<Fields>): number => numberOf(user) % 2
/** An entry without references. */
const contentOf = (entry: Entry<Fields> | undefined): unknown =>
  entry && {
    ...entry,
    metas: entry.metas.map(({ phx_ref: _ref, phx_ref_prev: _prev, ...fields }) => fields),
  }

/** The listeners of one room, and what they have made of what they heard. */
class Listener {
  readonly room: Room<Fields>
  readonly #silent: Map<string, Entry<Fields>>
  readonly #loud: Map<string, Entry<Fields>>
  readonly #users = new Map<string, unknown>()
  readonly #sorted
  readonly #window
  readonly #teams
  #shown: readonly Entry<Fields>[]

  constructor(room: Room<Fields>) {
    this.room = room
    const start = (): Map<string, Entry<Fields>> => new Map(room.list().map((each) => [each.key, each]))
    this.#silent = start()
    this.#loud = start()
    room.onChange((changes) => this.#fold(this.#silent, changes), { silent: true })
    room.onChange((changes) => this.#fold(this.#loud, changes))
    for (const key of KEYS) {
      const view = room.user(key)
      this.#users.set(key, contentOf(view.getSnapshot()))
      view.subscribe(() => {
        const now = contentOf(view.getSnapshot())
        this.#users.set(key, now)
      })
    }
    this.#sorted = sortBy(room, byNumber)
    this.#window = this.#sorted.window(1, 3)
    this.#teams = groupBy(room, parity)
    this.#shown = this.#window.getSnapshot()
    this.#window.subscribe(() => (this.#shown = this.#window.getSnapshot()))
    this.#teams.subscribe(() => {})
  }

  /** Each change begins with what the changes before it have led to. */
  #fold(users: Map<string, Entry<Fields>>, changes: readonly Change<Fields>[]): void {
    expect(new Set(changes.map(({ key }) => key)).size).toBe(changes.length)
    for (const { type, key, previous, current } of changes) {
      const before = users.get(key)
      if (users === this.#silent) expect(previous).toBe(before)
      expect(contentOf(previous)).toEqual(contentOf(before))
      expect(type).toBe(
        previous && !previous.leftAt ? (current && !current.leftAt ? "update" : "leave") : current ? "join" : "remove",
      )
      if (current) users.set(key, current)
      else users.delete(key)
    }
  }

  check(): void {
    const { room } = this
    const list = room.list()
    const snapshot = room.getSnapshot()
    expect([...this.#silent.values()].sort(byKey)).toEqual([...list].sort(byKey))
    const content = (users: Iterable<Entry<Fields>>) => [...users].sort(byKey).map(contentOf)
    expect(content(this.#loud.values())).toEqual(content(list))
    for (const key of KEYS) expect(this.#users.get(key)).toEqual(contentOf(room.get(key)))
    expect([room.size, snapshot.size]).toEqual(Array(2).fill(list.filter(({ leftAt }) => !leftAt).length))
    const sorted = [...list].sort(byNumber)
    expect(this.#sorted.getSnapshot()).toEqual(sorted)
    expect(sortBy(room, byNumber).getSnapshot()).toEqual(sorted)
    expect(this.#window.getSnapshot()).toEqual(sorted.slice(1, 3))
    expect(this.#shown.map(contentOf)).toEqual(sorted.slice(1, 3).map(contentOf))
    for (const [team, users] of this.#teams.getSnapshot())
      expect(users).toEqual(list.filter((each) => parity(each) === team))
    expect([...this.#teams.getSnapshot().values()].flat()).toHaveLength(list.length)
    expect(room.others()).toEqual(list.filter(({ key }) => key !== "me"))
    expect(room.self).toBe(list.find(({ key, leftAt }) => key === "me" && !leftAt))
  }
}

const byKey = (a: Entry<Fields>, b: Entry<Fields>): number => (a.key < b.key ? -1 : 1)

class Play {
  readonly #transport = scriptedTransport()
  readonly #timers = clock()
  readonly #options: Options
  readonly #connection
  readonly #truth = new Map<string, Device[]>()
  readonly #errors: unknown[] = []
  #notify: (signal: Signal) => void = () => {}
  #join: Sent | undefined
  #refs = 0
  #listener: Listener

  constructor(options: Options) {
    this.#options = options
    this.#connection = connect("ws://example.test/socket", {
      transport: this.#transport.transport,
      timers: this.#timers,
      random: () => 0.5,
      reconnectAfterMs: () => 10,
      signals: (notify) => {
        this.#notify = notify
        return () => {}
      },
    })
    this.#listener = this.#take()
    this.#serve()
  }

  #take(): Listener {
    const { graceMs, keepLeftMs, isChecked, isKept } = this.#options
    const room = this.#connection.room<Fields>(
      TOPIC,
      {},
      {
        graceMs,
        keepLeftMs,
        key: "me",
        ...(isChecked && { definition, invalid: isKept ? "keep" : () => {} }),
      },
    )
    room.onError((error) => this.#errors.push(error))
    return new Listener(room)
  }

  /** Opens the connection, and answers what the client has sent. */
  #serve(): void {
    const socket = this.#transport.latest()
    if (socket.readyState === 0) {
      this.#join = undefined
      socket.open()
    }
    const join = socket.all("phx_join").at(-1)
    if (!join || join === this.#join || socket.readyState !== 1) return
    this.#join = join
    socket.reply(join)
    if (this.#options.isNamed)
      socket.receive(join.joinRef, null, TOPIC, "presence_self", { key: "me", phx_ref: "none" })
    socket.receive(join.joinRef, null, TOPIC, "presence_state", this.#state())
  }

  #state(): object {
    return Object.fromEntries([...this.#truth].map(([key, metas]) => [key, { metas }]))
  }

  #wait(ms: number): void {
    this.#timers.advance(ms)
    vi.advanceTimersByTime(ms)
    this.#serve()
  }

  #change(choice: number): void {
    const key = KEYS[choice % 4]!
    const all = this.#truth.get(key) ?? []
    const what = (choice >> 2) % 5
    const before = all[choice % (all.length || 1)]
    const left = before && what > 0 ? [before] : []
    const n = (choice >> 5) % 7 === 0 ? "bad" : [1, 2, 101][(choice >> 5) % 3]
    const ref = `r${(this.#refs += 1)}`
    const came: Device[] = []
    if (!before || what === 0) came.push(meta(ref, { n }))
    else if (what === 1) came.push(meta(ref, { n, phx_ref_prev: before.phx_ref }))
    else if (what === 2) came.push(meta(ref, { n: before.n, phx_ref_prev: before.phx_ref }))
    const next = all.filter((each) => !left.includes(each)).concat(came)
    if (next.length > 0) this.#truth.set(key, next)
    else this.#truth.delete(key)
    const socket = this.#transport.latest()
    if (socket.readyState !== 1 || this.#join?.ref !== socket.all("phx_join").at(-1)?.ref) return
    const users = (metas: Device[]) => (metas.length > 0 ? Object.fromEntries([[key, { metas }]]) : {})
    socket.receive(null, null, TOPIC, "presence_diff", { joins: users(came), leaves: users(left) })
  }

  act(kind: number, choice: number): void {
    if (kind < 55) this.#change(choice)
    else if (kind < 75) this.#wait([1, 10, 60, 150, 400][choice % 5]!)
    else if (kind < 80) this.#transport.latest().drop()
    else if (kind < 83) this.#connection.pause()
    else if (kind < 87) this.#connection.resume()
    else if (kind < 93) this.#notify((["offline", "online", "awake"] as const)[choice % 3]!)
    else {
      const { room } = this.#listener
      room.leave()
      if (kind > 97) this.#wait(60)
      this.#listener = this.#take()
      this.#serve()
    }
    this.#listener.check()
  }

  rest(): void {
    this.#connection.resume()
    this.#notify("online")
    for (let times = 0; times < 20; times++) this.#wait(500)
    this.#wait(LONG_MS)
    this.#listener.check()
    const { isChecked, isKept } = this.#options
    const shown = ({ n, ...refs }: Device) => {
      if (!isChecked) return [{ n, ...refs }]
      if (typeof n !== "number") return isKept ? [{ n, ...refs }] : []
      return [{ n: n % 100, at: new Date(n % 100), ...refs }]
    }
    const wanted = [...this.#truth]
      .map(([key, metas]) => [key, metas.flatMap(shown)] as const)
      .filter(([, metas]) => metas.length > 0)
    const { room } = this.#listener
    expect(room.status).toBe("live")
    expect(new Map(room.list((key, { metas }) => [key, metas]))).toEqual(new Map(wanted))
    expect(this.#errors).toEqual([])
  }

  end(): void {
    this.#connection.disconnect()
    this.#wait(LONG_MS)
    expect(this.#timers.pending).toBe(0)
  }
}

it(
  "all parts of a room agree after each step, with the server at rest, and leave no timer",
  () => {
    const options = fc.record({
      graceMs: fc.constantFrom(0, 100),
      keepLeftMs: fc.constantFrom(0, 200),
      isChecked: fc.boolean(),
      isKept: fc.boolean(),
      isNamed: fc.boolean(),
    })
    const act = fc.tuple(fc.nat(99), fc.nat(10_000))
    fc.assert(
      fc.property(options, fc.array(act, { maxLength: 60, size: "max" }), (given, acts) => {
        const play = new Play(given)
        for (const [kind, choice] of acts) play.act(kind, choice)
        play.rest()
        play.end()
      }),
      { numRuns: RUNS },
    )
  },
  120_000 + RUNS * 200,
)
