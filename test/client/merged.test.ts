/** One object of fields for a user with several devices. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { nextCount } from "../../src/client/choices.ts"
import { merged } from "../../src/client/index.ts"
import { meta } from "../support/presences.ts"

const reversed = <T>(list: readonly T[]): T[] => list.map((_, at) => list[list.length - 1 - at]!)
const of = (...metas: object[]) => ({ metas: metas.map((fields, at) => meta(`${at}`, fields)) })

describe("merged", () => {
  it("has the fields of all devices, of the newest one that has it, without references and counters", () => {
    const user = of({ name: "Ada", n: 1, chosen: { name: 1 } }, { n: 2, phx_ref_prev: "x" }, { color: "teal" })
    expect(merged(user)).toEqual({ name: "Ada", n: 2, color: "teal" })
  })

  it("has the latest choice, on whatever device, also if a device that has not chosen is newer", () => {
    expect(merged(of({ status: "busy", chosen: { status: 2 } }, { status: "in", chosen: { status: 1 } }))).toEqual({
      status: "busy",
    })
    expect(merged(of({ status: "busy", chosen: { status: 1 } }, { status: "available" }))).toEqual({ status: "busy" })
  })

  it("has the choice of the greater ref if two devices have chosen without seeing each other", () => {
    const metas = [
      meta("b", { status: "busy", chosen: { status: 3 } }),
      meta("a", { status: "in", chosen: { status: 3 } }),
    ]
    expect([merged({ metas }), merged({ metas: reversed(metas) })]).toEqual([{ status: "busy" }, { status: "busy" }])
  })

  it("has a choice of nothing: null", () => {
    expect(merged(of({ status: "busy", chosen: { status: 1 } }, { status: null, chosen: { status: 2 } }))).toEqual({
      status: null,
    })
  })

  it("does not count a choice of a field that is not there", () => {
    expect(merged(of({ status: "busy", chosen: { status: 1 } }, { chosen: { status: 2 } }))).toEqual({ status: "busy" })
  })

  it("is away only if all devices are", () => {
    expect(merged(of({ away: true }, { away: true, n: 1 }))).toEqual({ away: true, n: 1 })
    for (const away of [false, null, 0, "", undefined]) expect(merged(of({ away: true }, { away }))).toEqual({})
    expect(merged(of({ away: true }, {}))).toEqual({})
    expect(merged(of({ away: true, chosen: { away: 1 } }, {}))).toEqual({})
  })

  it("has other fields than away only if all devices have them, as the option says", () => {
    const user = of({ idle: 5, away: true }, { idle: 7 }, { idle: 6 })
    expect(merged(user, { every: ["idle", "muted"] })).toEqual({ idle: 6, away: true })
    expect(merged(of({ away: true }, {}), { every: [] })).toEqual({ away: true })
    // Each object has a "constructor", but no field of that name.
    expect(merged(of({ constructor: 1 }, {}), { every: ["constructor"] })).toEqual({})
    expect(merged(of({ constructor: 1 }, { constructor: 2 }), { every: ["constructor"] })).toEqual({ constructor: 2 })
  })

  it("is the fields of the only device, and is empty for no user", () => {
    expect(merged(of({ name: "Ada", away: true }))).toEqual({ name: "Ada", away: true })
    expect(merged(undefined)).toEqual({})
    expect(Object.isFrozen(merged(of({ name: "Ada" })))).toBe(true)
  })

  it("takes any name of a field, and any value in the place of the counters", () => {
    const odd = JSON.parse('{"__proto__":"a","constructor":"b","chosen":{"__proto__":1,"constructor":2}}') as object
    expect(Object.entries(merged(of({ toString: "c" }, odd)))).toEqual([
      ["toString", "c"],
      ["__proto__", "a"],
      ["constructor", "b"],
    ])
    for (const chosen of [null, 7, "status", ["status"], true, { status: null }, { status: { status: 1 } }]) {
      expect(merged(of({ status: "busy", chosen: { status: 1 } }, { status: "in", chosen }))).toEqual({
        status: "busy",
      })
    }
  })
})

/** A device of one user, which may be away, and has seen the metas of the user at some time. */
type Device = {
  ref: string
  fields: Record<string, unknown>
  isHere: boolean
  seen: readonly Record<string, unknown>[]
}

const metaOf = ({ ref, fields }: Device): Record<string, unknown> => meta(ref, fields)

const act = fc.record({
  kind: fc.constantFrom("choose", "look", "reconnect", "drop"),
  at: fc.nat(3),
  value: fc.constantFrom("available", "busy", "lunch"),
  refs: fc.integer({ min: 0, max: 1e6 }),
})

/** Plays any order of choices, looks and reconnects. `hostile` are metas that no device of ours has made. */
function play(acts: readonly { kind: string; at: number; value: string; refs: number }[], hostile: readonly object[]) {
  const foreign = hostile.map((fields, at) => meta(`h${at}`, fields) as Record<string, unknown>)
  const devices: Device[] = Array.from({ length: 4 }, (_, at) => ({
    ref: `${at}`,
    fields: { status: "available" },
    isHere: true,
    seen: [],
  }))
  const present = (): Record<string, unknown>[] => [...foreign, ...devices.filter(({ isHere }) => isHere).map(metaOf)]
  const look = (device: Device): void => void (device.seen = present().filter(({ phx_ref }) => phx_ref !== device.ref))
  const choose = (device: Device, status: string): void => {
    const count = nextCount(device.seen, device.fields, "status", status)
    device.fields = { status, chosen: { status: count } }
  }
  for (const { kind, at, value, refs } of acts) {
    const device = devices[at]!
    if (kind === "choose") choose(device, value)
    if (kind === "look") look(device)
    if (kind === "drop") device.isHere = false
    // With the fields that it had, perhaps old ones, under a new ref that is greater or less than all others.
    if (kind === "reconnect") Object.assign(device, { isHere: true, ref: `${refs}.${at}` })
  }
  return { devices, present, look, choose }
}

const odd = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(2 ** 53, 2 ** 53 - 1, 2 ** 40, 2 ** 40 + 1, 2 ** 41, 2 ** 32, -1, "1", null, [], {}),
)
const foreign = fc.record({ status: fc.constant("hacked"), chosen: fc.record({ status: odd }) })
const acts = fc.array(act, { maxLength: 30 })
const statusOf = (metas: readonly object[]): unknown =>
  (merged({ metas: metas as never }) as { status: unknown }).status

describe("whatever the order of choices, reconnects with older metas, and looks at the others", () => {
  it("all viewers have the same value, in whatever order they have the devices", () => {
    fc.assert(
      fc.property(
        acts,
        fc.array(foreign, { maxLength: 3 }),
        fc.array(fc.nat(), { minLength: 7, maxLength: 7 }),
        (all, more, order) => {
          const { devices, present, choose } = play(all, more)
          Object.assign(devices[0]!, { isHere: true })
          choose(devices[0]!, "busy")
          const shuffled = present()
            .map((each, at) => [order[at]!, each] as const)
            .sort(([a], [b]) => a - b)
          fc.pre(more.length === 0 || statusOf(present()) !== "available")
          expect(statusOf(shuffled.map(([, each]) => each))).toBe(statusOf(present()))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it("a choice that was made after having seen the others wins, whatever counters others have made up", () => {
    fc.assert(
      fc.property(acts, fc.array(foreign, { maxLength: 3 }), fc.nat(3), (all, more, at) => {
        const { devices, present, look, choose } = play(all, more)
        const device = Object.assign(devices[at]!, { isHere: true })
        look(device)
        choose(device, "mine")
        expect(statusOf(present())).toBe("mine")
        // Nor does what they have made up stay: when they are gone, the next choice wins again.
        const another = Object.assign(devices[(at + 1) % 4]!, { isHere: true })
        const left = (): Record<string, unknown>[] => present().slice(more.length)
        another.seen = left().filter(({ phx_ref }) => phx_ref !== another.ref)
        choose(another, "next")
        expect(statusOf(left())).toBe("next")
      }),
      { numRuns: 2_000 },
    )
  })

  it("a device that comes back with an older meta does not undo a choice that was made after having seen it", () => {
    fc.assert(
      fc.property(acts, fc.nat(3), fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), (all, at, refs) => {
        const { devices, present, look, choose } = play(all, [])
        for (const device of devices) device.isHere = true
        look(devices[at]!)
        choose(devices[at]!, "mine")
        for (const [index, device] of devices.entries()) device.ref = `${refs[index]}.${index}`
        expect(statusOf(present())).toBe("mine")
        expect(statusOf(reversed(present()))).toBe("mine")
      }),
      { numRuns: 1_000 },
    )
  })
})
