/**
 * Compares our reducers and our `Presence` with those of the npm package phoenix. The results must be equal.
 *
 * Some of our rules differ from phoenix.js on purpose. The inputs avoid these cases:
 * - A reference has the same content everywhere (C7, C27). A state has the extras that its users already have (C27), leaves
 *   have no extras (C15), and only the joins of a diff have new ones (C6).
 * - A diff joins only references that are not present (C7). The leave of a present user has at least one reference, and only
 *   present ones (C13). Each joined user has metas (C20, C21). Each meta has a reference (C19), and no reference occurs
 *   twice.
 * - `phx_ref_prev` never names a reference that is joined (C45).
 *
 * Two more rules concern the comparison:
 * - After a state, metas are compared without their order (C29).
 * - phoenix.js gets copies, because it changes its arguments (C3, C4, C25).
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { list, Presence, syncDiff, syncState, type PresenceState } from "../../src/client/index.ts"
import { FakeChannel } from "../support/fake-channel.ts"
import { PhoenixPresence } from "../support/phoenix.ts"

const KEYS = ["b", "a", "10", "9", "__proto__", "constructor"]
const REFS = ["1", "2", "3", "4", "5"]

/** Returns the meta of a ref. A ref always has the same content. */
const metaOf = (key: string, ref: string) => ({
  phx_ref: `${key}/${ref}`,
  ...(Number(ref) % 2 ? { phx_ref_prev: `${key}/before/${ref}` } : {}),
  device: { n: Number(ref), tags: [key, null] },
})

type Refs = Map<string, string[]>

const stateOf = (refs: Refs, extras: object = { name: "first" }): PresenceState => {
  const state = Object.create(null)
  for (const [key, each] of refs) state[key] = { metas: each.map((ref) => metaOf(key, ref)), ...extras }
  return state
}

const anyRefs = (minLength: number) => fc.uniqueArray(fc.constantFrom(...REFS), { minLength })

const refsByKey = (minLength = 1): fc.Arbitrary<Refs> =>
  fc
    .uniqueArray(fc.tuple(fc.constantFrom(...KEYS), anyRefs(minLength)), { selector: ([key]) => key })
    .map((entries) => new Map(entries))

/** Records calls, with copies of their arguments at that moment. */
function recorder(sorted = false) {
  const calls: unknown[] = []
  const copy = (presence: any) => {
    if (!presence) return presence
    const metas = structuredClone(presence.metas)
    if (sorted) metas.sort((a: any, b: any) => (a.phx_ref < b.phx_ref ? -1 : 1))
    return { ...presence, metas }
  }
  const record = (kind: string) => (key: string, current: any, moved: any) =>
    calls.push([kind, key, copy(current), copy(moved)])
  return { calls, onJoin: record("join"), onLeave: record("leave") }
}

const inOrder = (texts: readonly string[]): string[] => {
  const ordered = [...texts]
  ordered.sort()
  return ordered
}

/**
 * Returns a state as a list of its keys, metas and extras, so that keys such as __proto__ and the order of keys are
 * compared, too.
 */
const text = (state: PresenceState, sorted = false) =>
  Object.keys(state).map((key) => {
    const { metas, ...extras } = state[key]!
    const each = metas.map((meta) => JSON.stringify(meta))
    return [key, sorted ? inOrder(each) : each, extras]
  })

const RUNS = { numRuns: 2000 }

describe("syncDiff", () => {
  const cases = fc
    .tuple(
      refsByKey(),
      refsByKey(),
      fc.array(fc.tuple(fc.constantFrom(...KEYS), anyRefs(1)), { maxLength: 4 }),
      fc.constantFrom({}, { name: "second" }, { role: { admin: true } }),
    )
    .map(([state, joins, leaving, extras]) => {
      const joined: Refs = new Map()
      for (const [key, refs] of joins) {
        const fresh = refs.filter((ref) => !state.get(key)?.includes(ref))
        if (fresh.length > 0) joined.set(key, fresh)
      }
      const left: Refs = new Map()
      for (const [key, refs] of leaving) {
        const here = [...(state.get(key) ?? []), ...(joined.get(key) ?? [])]
        const leave = here.length === 0 ? refs : refs.filter((ref) => here.includes(ref))
        if (leave.length > 0) left.set(key, leave)
      }
      return { state, joined, left, extras }
    })

  it("returns the same state and makes the same calls as phoenix.js, for thousands of inputs", () => {
    let moved = 0
    fc.assert(
      fc.property(cases, ({ state, joined, left, extras }) => {
        const diff = () => ({ joins: stateOf(joined, extras), leaves: stateOf(left, {}) })
        const [theirs, ours] = [recorder(), recorder()]
        const expected = PhoenixPresence.syncDiff(stateOf(state), diff(), theirs.onJoin, theirs.onLeave)
        const actual = syncDiff(stateOf(state), diff(), ours.onJoin, ours.onLeave)
        expect(text(actual)).toEqual(text(expected))
        expect(ours.calls).toEqual(theirs.calls)
        expect(list(actual, (key) => key)).toEqual(PhoenixPresence.list(expected, (key) => key))
        moved += ours.calls.length
      }),
      RUNS,
    )
    expect(moved).toBeGreaterThan(RUNS.numRuns)
  })
})

describe("syncState", () => {
  it("returns the same state and makes the same calls as phoenix.js, for thousands of inputs", () => {
    let moved = 0
    fc.assert(
      fc.property(refsByKey(), refsByKey(0), (current, next) => {
        // phoenix.js removes a user without metas only if it knew the user before (C20).
        for (const [key, refs] of next) if (refs.length === 0 && !current.has(key)) next.delete(key)
        const [theirs, ours] = [recorder(true), recorder(true)]
        const expected = PhoenixPresence.syncState(stateOf(current), stateOf(next), theirs.onJoin, theirs.onLeave)
        const actual = syncState(stateOf(current), stateOf(next), ours.onJoin, ours.onLeave)
        expect(text(actual, true)).toEqual(text(expected, true))
        expect(ours.calls).toEqual(theirs.calls)
        moved += ours.calls.length
      }),
      RUNS,
    )
    expect(moved).toBeGreaterThan(RUNS.numRuns)
  })

  it("returns exactly the server's users, with metas in its order (C29)", () => {
    fc.assert(
      fc.property(refsByKey(), refsByKey(), (current, next) => {
        const actual = syncState(stateOf(current), stateOf(next))
        expect(new Map(text(actual).map((each) => [each[0], each]))).toEqual(
          new Map(text(stateOf(next)).map((each) => [each[0], each])),
        )
      }),
    )
  })
})

describe("Presence on a channel", () => {
  /** One event: on the server a device joins, leaves or updates, or the client has to join again. */
  const happening = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ key: fc.constantFrom(...KEYS), what: fc.constantFrom("join", "leave", "update") }),
    },
    { weight: 1, arbitrary: fc.record({ late: fc.nat({ max: 3 }) }) },
  )

  it("makes the same calls as phoenix.js, and ends with the server's own list", () => {
    let frames = 0
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), (story) => {
        const truth = new Map<string, string[]>()
        const [theirChannel, ourChannel] = [new FakeChannel("1"), new FakeChannel("1")]
        const [theirs, ours] = [recorder(true), recorder(true)]
        const phoenix = new PhoenixPresence(theirChannel)
        const presence = new Presence(ourChannel)
        for (const [target, { onJoin, onLeave, calls }] of [
          [phoenix, theirs],
          [presence, ours],
        ] as const) {
          target.onJoin(onJoin)
          target.onLeave(onLeave)
          target.onSync(() => calls.push("sync"))
        }
        presence.onError((error) => expect.unreachable(error.message))
        let next = 0
        let join = 1
        let state: PresenceState | undefined = Object.create(null)
        let wait = 0
        const send = (event: string, payload: () => unknown) => {
          frames++
          theirChannel.receive(event, payload())
          ourChannel.receive(event, payload())
        }
        const deliverState = () => {
          const now = state!
          state = undefined
          send("presence_state", () => structuredClone({ ...now }))
        }
        for (const each of story) {
          if ("late" in each) {
            if (state) deliverState()
            // The state is taken now, but arrives after this number of further diffs.
            state = stateOf(truth)
            wait = each.late
            theirChannel.join = ourChannel.join = String(++join)
          } else {
            const { key, what } = each
            const here = truth.get(key) ?? []
            const [old] = here
            if (what !== "join" && old === undefined) continue
            const fresh = what === "leave" ? [] : [String(++next)]
            const gone = what === "join" ? [] : [old!]
            const left = [...here.filter((ref) => !gone.includes(ref)), ...fresh]
            if (left.length > 0) truth.set(key, left)
            else truth.delete(key)
            const half = (refs: string[]) => stateOf(new Map(refs.length > 0 ? [[key, refs]] : []))
            send("presence_diff", () => ({ joins: half(fresh), leaves: half(gone) }))
          }
          if (state && wait-- <= 0) deliverState()
        }
        if (state) deliverState()
        expect(ours.calls).toEqual(theirs.calls)
        const listed = (target: any) =>
          new Map(
            text(Object.fromEntries(target.list((key: string, of: any) => [key, of])), true).map((each) => [
              each[0],
              each,
            ]),
          )
        expect(listed(presence)).toEqual(listed(phoenix))
        expect(listed(presence)).toEqual(new Map(text(stateOf(truth), true).map((each) => [each[0], each])))
      }),
      { numRuns: 500 },
    )
    expect(frames).toBeGreaterThan(500)
  })
})
