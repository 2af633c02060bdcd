/**
 * A room that holds leaves and keeps users that left, under random states, diffs, drops and rejoins, against a plain model of what
 * was present when.
 *
 * `RUNS=20000 npx vitest run --config test/vitest.config.ts client/grace-interleavings` runs more of them.
 */
import fc from "fast-check"
import { expect, it } from "vitest"
import type { Change, Entry } from "../../src/client/index.ts"
import { createGrace } from "../../src/client/grace.ts"
import { createStore, type Store } from "../../src/client/store.ts"
import { createSync } from "../../src/client/sync.ts"
import { clock } from "../support/clock.ts"
import { FakeChannel } from "../support/fake-channel.ts"

const RUNS = Number(process.env["RUNS"] ?? 400)
const KEYS = ["a", "b", "c"]
const LOST_MS = 3
/** The wall clock is this much ahead of the monotonic one. */
const EPOCH = 1_700_000_000_000

type Device = { phx_ref: string; n: number; phx_ref_prev?: string }

class Play {
  readonly timers = clock()
  readonly #channel = new FakeChannel()
  readonly store: Store<{ n: number }>
  readonly #grace: ReturnType<typeof createGrace<{ n: number }>>
  readonly #graceMs: number
  readonly #keepLeftMs: number
  /** What the server says. */
  truth = new Map<string, Device[]>()
  /** What the client knows of it: diffs of a broken connection are lost. */
  #known = new Map<string, Device[]>()
  #refs = 0
  /** For how long the client has known a user and a device to be away, while it was live. */
  readonly #awayMs = new Map<string, number>()
  readonly #leftAt = new Map<string, number>()
  /** When the leave of a user was last shown. */
  readonly #shownAt = new Map<string, number>()
  readonly #folded = new Map<string, Entry<{ n: number }>>()
  /** The users as folded from the changes without those of references. */
  readonly #reported = new Map<string, Entry<{ n: number }>>()
  #notified = 0
  /** For how long the room has not been live. */
  #staleMs = 0
  #wasLost = false

  constructor(graceMs: number, keepLeftMs: number) {
    this.#graceMs = graceMs
    this.#keepLeftMs = keepLeftMs
    this.store = createStore((cause) => {
      throw cause
    })
    this.#grace = createGrace(
      this.store,
      { graceMs, keepLeftMs, lostConnectionMs: LOST_MS },
      this.timers,
      () => EPOCH + this.timers.now(),
    )
    const listener = {
      applied: () => this.store.notify(),
      failed: (error: Error) => {
        throw error
      },
    }
    createSync(this.#channel, this.#grace, {}, listener, () => this.timers.now())
    this.store.onChange((changes) => this.#fold(changes), { silent: true })
    this.store.onChange((changes) => {
      for (const { key, current } of changes) {
        if (current) this.#reported.set(key, current)
        else this.#reported.delete(key)
      }
    })
    this.store.subscribe(() => {
      this.#notified++
      this.#wasLost = this.#grace.isLost
    })
    this.#state()
  }

  get isLive(): boolean {
    return this.store.status === "live"
  }

  act(kind: number, choice: number): void {
    const key = KEYS[choice % KEYS.length]!
    const devices = this.truth.get(key) ?? []
    const at = (choice >> 2) % (devices.length || 1)
    if (kind < 25) this.#change(key, [], [this.#device(choice % 2)])
    else if (kind < 50 && devices.length > 0) this.#change(key, [devices[at]!], [])
    else if (kind < 58 && devices.length > 0) this.#change(key, devices, [])
    else if (kind < 68 && devices.length > 0)
      this.#change(key, [devices[at]!], [this.#device(choice % 3, devices[at]!.phx_ref)])
    else if (kind < 72) this.#drop()
    else if (kind < 80) this.#state()
    else if (kind < 83) this.#doubt()
    else this.#wait([1, 2, 4, 5, 6, 12][choice % 6]!)
    this.check()
  }

  #device(n: number, previous?: string): Device {
    const phx_ref = `r${this.#refs++}`
    return previous === undefined ? { phx_ref, n } : { phx_ref, n, phx_ref_prev: previous }
  }

  #change(key: string, leaves: Device[], joins: Device[]): void {
    const left = new Set(leaves)
    this.#set(this.truth, key, [...(this.truth.get(key) ?? []).filter((each) => !left.has(each)), ...joins])
    if (this.#isDropped) return
    this.#learn()
    const of = (metas: Device[]) => (metas.length > 0 ? { [key]: { metas: structuredClone(metas) } } : {})
    this.#channel.diff(of(joins), of(leaves))
  }

  #set(users: Map<string, Device[]>, key: string, devices: Device[]): void {
    if (devices.length > 0) users.set(key, devices)
    else users.delete(key)
  }

  #learn(): void {
    for (const key of KEYS) {
      const now = new Set((this.truth.get(key) ?? []).map(({ phx_ref }) => phx_ref))
      if (now.size > 0) this.#awayMs.delete(key)
      else if (this.#known.has(key)) {
        this.#awayMs.set(key, 0)
        this.#leftAt.set(key, EPOCH + this.timers.now())
      }
      if (this.#known.get(key)?.some(({ phx_ref }) => !now.has(phx_ref))) this.#awayMs.set(`a device of ${key}`, 0)
    }
    this.#known = new Map(this.truth)
  }

  #isDropped = true

  #drop(): void {
    this.#isDropped = true
    this.#setStatus("stale")
  }

  #setStatus(status: "stale" | "live"): void {
    if (status === "live") this.#restart()
    this.#grace.setStatus(status, status === "stale")
    this.store.notify()
  }

  /** When the room is live again, the time that its held leaves have waited begins anew. */
  #restart(): void {
    if (this.isLive) return
    for (const [each, away] of this.#awayMs) if (away < this.#graceMs) this.#awayMs.set(each, 0)
  }

  /** The connection may be dead, and turns out to be alive. */
  #doubt(): void {
    if (this.#isDropped) return
    this.#setStatus(this.isLive ? "stale" : "live")
  }

  #state(): void {
    this.#restart()
    this.#isDropped = false
    this.#channel.join = `join ${this.#refs++}`
    this.#learn()
    const state: Record<string, object> = {}
    for (const [key, metas] of this.truth) state[key] = { metas: structuredClone(metas) }
    this.#channel.state(state)
  }

  #wait(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      this.#staleMs = this.isLive ? 0 : this.#staleMs + 1
      if (this.isLive) for (const [each, away] of this.#awayMs) this.#awayMs.set(each, away + 1)
      this.timers.advance(1)
      this.check()
    }
  }

  /** What is folded from the changes must be what they say it was. */
  #fold(changes: readonly Change<{ n: number }>[]): void {
    expect(new Set(changes.map(({ key }) => key)).size).toBe(changes.length)
    for (const { type, key, current, previous } of changes) {
      const before = this.#folded.get(key)
      expect(previous, `${type} of ${key}`).toEqual(before)
      const [was, is] = [before && before.leftAt === undefined, current && current.leftAt === undefined]
      expect(type).toBe(is ? (was ? "update" : "join") : was ? "leave" : "remove")
      expect(current?.metas, `${type} of ${key}`).not.toEqual(type === "update" && previous?.metas)
      if (type === "leave") this.#shownAt.set(key, this.timers.now())
      if (current) this.#folded.set(key, current)
      else this.#folded.delete(key)
    }
  }

  check(): void {
    if (this.isLive) this.#staleMs = 0
    expect([this.#grace.isLost, this.#wasLost]).toEqual([this.#staleMs >= LOST_MS, this.#staleMs >= LOST_MS])
    const { users, size } = this.store.getSnapshot()
    expect(users.map(({ key }) => key).sort()).toEqual([...this.#folded.keys()].sort())
    expect(users.filter(({ leftAt }) => leftAt === undefined)).toHaveLength(size)
    for (const user of users) expect(user).toEqual(this.#folded.get(user.key))
    const brief = (user: Entry<{ n: number }>) => `${user.key} ${user.leftAt} ${user.metas.map(({ n }) => n).join()}`
    expect([...this.#reported.values()].map(brief).sort()).toEqual(users.map(brief).sort())
    for (const key of KEYS) {
      const devices = this.#known.get(key) ?? []
      const user = this.store.getSnapshot().get(key)
      const isShown = user !== undefined && user.leftAt === undefined
      const refs = new Set(user?.metas.map(({ phx_ref }) => phx_ref))
      // What joins or changes is shown at once.
      for (const { phx_ref } of devices) expect(refs, `${key} at ${this.timers.now()}`).toContain(phx_ref)
      // A user is shown exactly until it has been away for the time of grace.
      const away = this.#awayMs.get(key) ?? Infinity
      expect(isShown, `${key} away ${away}`).toBe(devices.length > 0 || away < this.#graceMs)
      if (!isShown) {
        // A user that left is kept for exactly so long.
        expect(user?.leftAt, key).toBe(
          this.timers.now() - this.#shownAt.get(key)! < this.#keepLeftMs ? this.#leftAt.get(key) : undefined,
        )
        continue
      }
      // A device that left is shown only until it, or another one of its user, has been away for so long.
      const present = new Set(devices.map(({ phx_ref }) => phx_ref))
      for (const ref of refs)
        if (!present.has(ref)) expect(this.#awayMs.get(`a device of ${key}`), ref).toBeLessThan(this.#graceMs)
    }
  }

  rest(): void {
    if (!this.isLive) this.#state()
    this.check()
    this.#wait(this.#graceMs + this.#keepLeftMs + LOST_MS)
    const shown = this.store.getSnapshot().users.map(({ key, metas }) => [key, metas])
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(this.truth))
    expect(this.timers.pending).toBe(0)
    const notified = this.#notified
    this.#wait(20)
    expect(this.#notified).toBe(notified)
  }
}

it.each([
  [0, 0],
  [5, 0],
  [0, 5],
  [5, 8],
  [5, 2],
])(
  "shows the server's view in the end, and each leave once, in time: graceMs %d, keepLeftMs %d",
  (graceMs, keepLeftMs) => {
    const act = fc.tuple(fc.nat(99), fc.nat(1_000))
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60, size: "max" }), (acts) => {
        const play = new Play(graceMs, keepLeftMs)
        for (const [kind, choice] of acts) play.act(kind, choice)
        play.rest()
      }),
      { numRuns: RUNS / 5 },
    )
  },
)
