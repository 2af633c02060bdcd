import { describe, expect, it } from "vitest"
import { NO_CHANGE } from "../../src/crdt/set-diff.ts"
import type { Part } from "../../src/crdt/replica-dots.ts"
import { Orswot, type FullState } from "../../src/crdt/orswot.ts"
import type { Delta } from "../../src/crdt/delta.ts"
import type { Row } from "../../src/crdt/row.ts"
import { elementOf } from "./model-checked-set.ts"

/** Returns a set that knows the given other replicas. */
function knowing(ref: string, ...others: string[]): Orswot {
  const set = new Orswot(ref)
  for (const other of others) set.replicaUp(other)
  return set
}

/** Returns the full state of `set` in response to a transfer request of `other`. */
const stateFor = (other: Orswot, set: Orswot): FullState => set.extract(other.ref, other.clocks())

const shown = (set: Orswot): string[] => set.online().map(elementOf)
const change = ({ joins, leaves }: { joins: readonly Row[]; leaves: readonly Row[] }) => ({
  joins: joins.map(elementOf),
  leaves: leaves.map(elementOf),
})
const full = (parts: Record<string, Part>): FullState => ({ mode: "full", parts: new Map(Object.entries(parts)) })
const row = (ref: string, clock: number, rest: Partial<Row> = {}): Row => {
  return { topic: "t", pid: `${ref}.p`, key: "u", meta: { n: clock }, ref, clock, ...rest }
}

describe("small examples", () => {
  it("events of three nodes lead to the same context and the same live rows in any order", () => {
    const events: Row[] = [row("n1", 1, { key: "user10" }), row("n2", 1, { key: "user2" })]
    const deltas: FullState[] = [
      full({ n1: { seen: [1, 1], rows: [events[0]!] } }),
      full({ n1: { seen: [2, 3], rows: [] } }),
      full({ n2: { seen: [1, 2], rows: [events[1]!] } }),
      full({ n3: { seen: [4, 4], rows: [] } }),
      full({ n3: { seen: [1, 3], rows: [] } }),
    ]
    for (const order of [deltas, [4, 3, 2, 1, 0].map((i) => deltas[i]!), [...deltas.slice(2), ...deltas.slice(0, 3)]]) {
      const set = knowing("me", "n1", "n2", "n3")
      for (const delta of order) set.merge(delta)
      expect([...set.clocks()]).toEqual([
        ["me", 0],
        ["n1", 3],
        ["n2", 2],
        ["n3", 4],
      ])
      const live = set.online().map(({ key, ref, clock }) => `${key} {${ref},${clock}}`)
      expect(new Set(live)).toEqual(new Set(["user10 {n1,1}", "user2 {n2,1}"]))
    }
  })

  it("a late copy of a seen join is discarded; an unseen join is added, and the clock includes its dot once the gap before it closes", () => {
    const set = knowing("me", "n3")
    set.merge(full({ n3: { seen: [1, 4], rows: [] } }))
    expect(set.merge(full({ n3: { seen: [2, 2], rows: [row("n3", 2)] } }))).toBe(NO_CHANGE)
    expect(change(set.merge(full({ n3: { seen: [6, 6], rows: [row("n3", 6)] } }))).joins).toEqual(["t|n3.p|u|6"])
    expect(set.clocks().get("n3")).toBe(4)
    set.merge(full({ n3: { seen: [5, 5], rows: [] } }))
    expect(set.clocks().get("n3")).toBe(6)
  })

  it("node2 discards user1 when n1 has removed it, and ignores a stale copy of user1 from n3", () => {
    const [n1, n2, n3] = [knowing("n1"), knowing("n2", "n1", "n3"), knowing("n3", "n1", "n2")]
    n1.join("p", "t", "user1", { n: 1 })
    for (const node of [n2, n3]) node.merge(stateFor(node, n1))
    expect(shown(n2)).toEqual(["t|p|user1|1"])
    n1.leave("p", "t", "user1")
    expect(change(n2.merge(stateFor(n2, n1)))).toEqual({ joins: [], leaves: ["t|p|user1|1"] })
    expect(n2.merge(stateFor(n2, n3))).toBe(NO_CHANGE)
    expect(change(n3.merge(stateFor(n3, n2)))).toEqual({ joins: [], leaves: ["t|p|user1|1"] })
  })

  it("an addition wins over a concurrent removal, which removes only rows that its replica has seen", () => {
    const [s1, s2] = [knowing("s1", "s2"), knowing("s2", "s1")]
    s1.join("p", "lobby", "u", { n: 1 })
    s2.join("p", "lobby", "u", { n: 2 })
    s2.leave("p", "lobby", "u")
    s1.merge(s2.takeDelta()!)
    s2.merge(s1.takeDelta()!)
    expect(shown(s1)).toEqual(["lobby|p|u|1"])
    expect(shown(s2)).toEqual(["lobby|p|u|1"])
  })
})

describe("cases that Phoenix gets wrong on a bus that loses and reorders messages", () => {
  it("E1 (D1): a removed row does not come back with a late copy of its delta", () => {
    const [owner, other] = [knowing("owner"), knowing("other", "owner")]
    owner.join("q", "t", "first", { n: 1 })
    const d1 = owner.takeDelta()!
    owner.join("p", "t", "x", { n: 2 })
    const d2 = owner.takeDelta()!
    owner.leave("p", "t", "x")
    const d3 = owner.takeDelta()!
    other.merge(d2)
    expect(change(other.merge(d3)).leaves).toEqual(["t|p|x|2"])
    expect(other.merge(d2)).toBe(NO_CHANGE)
    other.merge(d1)
    expect(shown(other)).toEqual(["t|q|first|1"])
    expect(other.clocks().get("owner")).toBe(owner.clocks().get("owner"))
  })

  it("#148 (D2): an older meta that arrives late does not replace a newer one, and changes nothing", () => {
    const [owner, other] = [knowing("owner"), knowing("other", "owner")]
    owner.join("p", "t", "u", { v: "A", n: 1 })
    const a = owner.takeDelta()!
    owner.update("p", "t", "u", { v: "B", n: 2 })
    const b = owner.takeDelta()!
    owner.update("p", "t", "u", { v: "C", n: 3 })
    const c = owner.takeDelta()!
    other.merge(a)
    expect(change(other.merge(c))).toEqual({ joins: ["t|p|u|3"], leaves: ["t|p|u|1"] })
    expect(other.merge(b)).toBe(NO_CHANGE)
    expect(shown(other)).toEqual(["t|p|u|3"])
    expect(other.clocks().get("owner")).toBe(5)
  })

  it("D3, D13: if an update is lost, the next one reports the leave of the row that is shown here, and that it replaces this row", () => {
    const [owner, other] = [knowing("owner"), knowing("other", "owner")]
    owner.join("p", "t", "u", { n: 1 })
    other.merge(owner.takeDelta()!)
    owner.update("p", "t", "u", { n: 2 })
    owner.takeDelta()
    owner.update("p", "t", "u", { n: 3 })
    const { joins, leaves } = other.merge(owner.takeDelta()!)
    expect(joins.map(elementOf)).toEqual(["t|p|u|3"])
    expect(leaves.map(elementOf)).toEqual(["t|p|u|1"])
    expect(joins[0]!.replaces).toBe(leaves[0])
  })

  it("D13: several updates in one delta replace the row that the receiver shows, not the last one of the owner", () => {
    const [owner, other] = [knowing("owner"), knowing("other", "owner")]
    owner.join("p", "t", "u", { n: 1 })
    other.merge(owner.takeDelta()!)
    for (const n of [2, 3, 4]) owner.update("p", "t", "u", { n })
    const { joins, leaves } = other.merge(owner.takeDelta()!)
    expect(joins.map(({ meta, replaces }) => [meta, replaces?.meta])).toEqual([[{ n: 4 }, { n: 1 }]])
    expect(leaves.map(elementOf)).toEqual(["t|p|u|1"])
  })

  it("#214 (D2): if two replicas use the same pid, all nodes show the same row, and the other row when that one is gone", () => {
    const [a, b] = [knowing("a", "b"), knowing("b", "a")]
    const c = knowing("c", "a", "b")
    a.join("p", "t", "u", { n: 1 })
    b.join("p", "t", "u", { n: 2 })
    const [fromA, fromB] = [a.takeDelta()!, b.takeDelta()!]
    expect(change(a.merge(fromB))).toEqual({ joins: ["t|p|u|2"], leaves: ["t|p|u|1"] })
    expect(b.merge(fromA)).toBe(NO_CHANGE)
    c.merge(fromB)
    c.merge(fromA)
    for (const set of [a, b, c]) expect(shown(set)).toEqual(["t|p|u|2"])
    expect(change(c.replicaDown("b"))).toEqual({ joins: ["t|p|u|1"], leaves: ["t|p|u|2"] })
    expect(change(c.replicaUp("b"))).toEqual({ joins: ["t|p|u|2"], leaves: ["t|p|u|1"] })
    expect(change(c.removeReplica("b"))).toEqual({ joins: ["t|p|u|1"], leaves: ["t|p|u|2"] })
    expect(a.leaveAll("p")).toBe(NO_CHANGE)
    a.merge(stateFor(a, b))
    b.leave("p", "t", "u")
    expect(change(a.merge(b.takeDelta()!))).toEqual({ joins: [], leaves: ["t|p|u|2"] })
  })

  it("T8: a lost delta with an update leaves a gap in the clock, although the next delta removes the updated row", () => {
    const [owner, other] = [knowing("owner"), knowing("other", "owner")]
    owner.join("p", "t", "u", { n: 1 })
    other.merge(owner.takeDelta()!)
    owner.update("p", "t", "u", { n: 2 })
    owner.takeDelta()
    owner.leave("p", "t", "u")
    other.merge(owner.takeDelta()!)
    expect(shown(other)).toEqual(["t|p|u|1"])
    expect(other.clocks().get("owner")).toBeLessThan(owner.clocks().get("owner")!)
    other.merge(stateFor(other, owner))
    expect(shown(other)).toEqual([])
  })
})

describe("local operations", () => {
  it("report what they change: a join, an update as a pair, a leave (T5 to T8)", () => {
    const set = new Orswot("me")
    expect(change(set.join("p", "t", "u", { n: 1 }))).toEqual({ joins: ["t|p|u|1"], leaves: [] })
    const { joins, leaves } = set.update("p", "t", "u", { n: 2 })
    expect(joins[0]!.replaces).toBe(leaves[0])
    expect(change({ joins, leaves })).toEqual({ joins: ["t|p|u|2"], leaves: ["t|p|u|1"] })
    expect(change(set.leave("p", "t", "u"))).toEqual({ joins: [], leaves: ["t|p|u|2"] })
  })

  it("use one dot for a join, two for an update and one for a leave", () => {
    const set = new Orswot("me")
    const clock = () => set.clocks().get("me")
    set.join("p", "t", "u", { n: 1 })
    expect(clock()).toBe(1)
    set.update("p", "t", "u", { n: 2 })
    expect(clock()).toBe(3)
    set.leave("p", "t", "u")
    expect(clock()).toBe(4)
  })

  it("change nothing and use no dot if there is no such presence", () => {
    const set = new Orswot("me")
    expect(set.leave("p", "t", "u")).toBe(NO_CHANGE)
    expect(set.leaveAll("p")).toBe(NO_CHANGE)
    expect(set.update("p", "t", "u", { n: 1 })).toBe(NO_CHANGE)
    expect(set.clocks().get("me")).toBe(0)
    expect(set.takeDelta()).toBeUndefined()
  })

  it("replace a presence that is joined again, so that there is only one", () => {
    const set = new Orswot("me")
    set.join("p", "t", "u", { n: 1 })
    expect(change(set.join("p", "t", "u", { n: 2 }))).toEqual({ joins: ["t|p|u|2"], leaves: ["t|p|u|1"] })
    expect(shown(set)).toEqual(["t|p|u|2"])
  })

  it("remove all presences of a pid of this replica, and none of the same pid on others (T7)", () => {
    const [me, other] = [knowing("me", "other"), knowing("other")]
    other.join("p", "t", "theirs", { n: 1 })
    me.merge(other.takeDelta()!)
    for (const n of [2, 3]) me.join("p", `t${n}`, "mine", { n })
    me.join("q", "t", "mine", { n: 4 })
    expect(change(me.leaveAll("p")).leaves).toEqual(["t2|p|mine|2", "t3|p|mine|3"])
    expect(shown(me)).toEqual(["t|p|theirs|1", "t|q|mine|4"])
    expect(me.leave("p", "t", "theirs")).toBe(NO_CHANGE)
  })
})

describe("a delta", () => {
  it("contains the changes since the last delta, and only the dots of a row that joined and left since then (T6)", () => {
    const set = new Orswot("me")
    set.join("p", "t", "stays", { n: 1 })
    set.join("p", "t", "goes", { n: 2 })
    set.leave("p", "t", "goes")
    const { parts, start, end } = set.takeDelta()!
    expect(parts.get("me")!.seen).toEqual([1, 3])
    expect(parts.get("me")!.rows.map(elementOf)).toEqual(["t|p|stays|1"])
    expect([start.get("me"), end.get("me")]).toEqual([0, 3])
    expect(set.takeDelta()).toBeUndefined()
  })

  it("contains the removal of a row of an earlier delta", () => {
    const set = new Orswot("me")
    set.join("p", "t", "u", { n: 1 })
    set.join("p", "t", "other", { n: 2 })
    set.takeDelta()
    set.leave("p", "t", "u")
    expect(set.takeDelta()!.parts.get("me")).toEqual({ seen: [1, 1, 3, 3], rows: [] })
  })

  it("passes on the removals of other replicas (T15), but not those of a replica that was removed since (T24)", () => {
    const [owner, relay, third] = [knowing("owner"), knowing("relay", "owner"), knowing("third", "owner", "relay")]
    owner.join("p", "t", "u", { n: 1 })
    const joined = owner.takeDelta()!
    relay.merge(joined)
    third.merge(joined)
    owner.leave("p", "t", "u")
    relay.merge(owner.takeDelta()!)
    expect(change(third.merge(relay.takeDelta()!)).leaves).toEqual(["t|p|u|1"])
    third.removeReplica("owner")
    expect(third.takeDelta()).toBeUndefined()
  })
})

/** Returns two sets that know each other; `me` has merged the row of `other`. */
function pair(): { me: Orswot; other: Orswot } {
  const [me, other] = [knowing("me", "other"), knowing("other", "me")]
  other.join("p", "t", "u", { n: 1 })
  me.merge(other.takeDelta()!)
  return { me, other }
}

describe("replicas", () => {
  it("are ignored until they are known", () => {
    const { other } = pair()
    const stranger = knowing("stranger")
    expect(stranger.merge(stateFor(knowing("x", "other"), other))).toBe(NO_CHANGE)
    expect([...stranger.clocks().keys()]).toEqual(["stranger"])
  })

  it("leave once when they go down, and join once when they return, with the changes made meanwhile (T31)", () => {
    const { me, other } = pair()
    expect(change(me.replicaDown("other"))).toEqual({ joins: [], leaves: ["t|p|u|1"] })
    expect(me.replicaDown("other")).toBe(NO_CHANGE)
    other.update("p", "t", "u", { n: 2 })
    other.join("q", "t", "u", { n: 3 })
    expect(me.merge(other.takeDelta()!)).toBe(NO_CHANGE)
    expect(shown(me)).toEqual([])
    expect(change(me.replicaUp("other"))).toEqual({ joins: ["t|p|u|2", "t|q|u|3"], leaves: [] })
    expect(me.replicaUp("other")).toBe(NO_CHANGE)
  })

  it("are left out of all reads and of the clocks while they are down (T11, T12)", () => {
    const { me } = pair()
    me.join("p2", "t", "u", { n: 9 })
    me.replicaDown("other")
    for (const rows of [me.online(), me.list("t"), me.getByKey("t", "u")])
      expect(rows.map(elementOf)).toEqual(["t|p2|u|9"])
    expect([...me.clocks().keys()]).toEqual(["me"])
  })

  it("are forgotten when they are removed, leave at most once, and start empty when they are known again", () => {
    const { me, other } = pair()
    me.replicaDown("other")
    expect(me.removeReplica("other")).toBe(NO_CHANGE)
    expect(me.removeReplica("other")).toBe(NO_CHANGE)
    expect(me.replicaUp("other")).toBe(NO_CHANGE)
    expect(me.clocks().get("other")).toBe(0)
    expect(change(me.merge(stateFor(me, other))).joins).toEqual(["t|p|u|1"])
    expect(change(me.removeReplica("other")).leaves).toEqual(["t|p|u|1"])
    expect(me.list("t")).toEqual([])
  })

  it("are left out of a full state if the requesting node does not know them (T18)", () => {
    const { me } = pair()
    expect([...me.extract("requester", new Map([["me", 0]])).parts.keys()]).toEqual(["me"])
  })

  it("do not get their own part in a full state, and lose nothing when they merge it", () => {
    const { me, other } = pair()
    const state = stateFor(other, me)
    expect([...state.parts.keys()]).toEqual(["me"])
    expect(other.merge(state)).toBe(NO_CHANGE)
    expect(shown(other)).toEqual(["t|p|u|1"])
  })

  it("can be marked as down and removed, but not the own replica", () => {
    const { me } = pair()
    me.join("mine", "t", "m", { n: 5 })
    for (const diff of [me.replicaDown("me"), me.removeReplica("me"), me.replicaUp("me")]) expect(diff).toBe(NO_CHANGE)
    expect(shown(me)).toContain("t|mine|m|5")
  })
})

describe("reads", () => {
  it("list keys in the order in which they were added, with the rows of one key together, and keep an update in its position", () => {
    const set = new Orswot("me")
    for (const [n, key] of ["b", "a", "b", "c", "a"].entries()) set.join(`p${n}`, "t", key, { n })
    set.update("p0", "t", "b", { n: 10 })
    set.leave("p1", "t", "a")
    expect(set.list("t").map(elementOf)).toEqual(["t|p0|b|10", "t|p2|b|2", "t|p4|a|4", "t|p3|c|3"])
  })

  it("keep a remote update in its position as well", () => {
    const [me, other] = [knowing("me", "other"), knowing("other")]
    for (const [n, key] of ["b", "a", "c"].entries()) other.join(`p${n}`, "t", key, { n })
    me.merge(other.takeDelta()!)
    other.update("p0", "t", "b", { n: 10 })
    other.update("p0", "t", "b", { n: 11 })
    me.merge(other.takeDelta()!)
    expect(me.list("t").map(elementOf)).toEqual(["t|p0|b|11", "t|p1|a|1", "t|p2|c|2"])
  })

  it("list topics in the order in which they appeared; a topic that was empty meanwhile comes last", () => {
    const set = new Orswot("me")
    for (const [n, topic] of ["a", "b"].entries()) set.join("p", topic, "u", { n })
    set.leave("p", "a", "u")
    set.join("p", "a", "u", { n: 2 })
    expect(shown(set)).toEqual(["b|p|u|1", "a|p|u|2"])
  })

  it("find rows by key and by pid, and own rows by place", () => {
    const set = new Orswot("me")
    set.join("p", "t", "u", { n: 1 })
    set.join("p", "t2", "u", { n: 2 })
    set.join("q", "t", "u", { n: 3 })
    expect(set.getByKey("t", "u").map(elementOf)).toEqual(["t|p|u|1", "t|q|u|3"])
    expect(set.getByPid("p").map(elementOf)).toEqual(["t|p|u|1", "t2|p|u|2"])
    expect(set.find("q", "t", "u")?.meta).toEqual({ n: 3 })
    expect(set.find("q", "t2", "u")).toBeUndefined()
    expect([set.getByKey("t", "x"), set.getByPid("x"), set.list("x")]).toEqual([[], [], []])
  })

  it("accept any string as a topic, pid, key or ref, and keep them apart", () => {
    const odd = ["__proto__", "constructor", "", "a", "bc", "ab", "c", "1:a"]
    const [me, other] = [knowing("me", "__proto__"), knowing("__proto__")]
    let n = 0
    for (const topic of odd) for (const pid of odd) for (const key of odd) other.join(pid, topic, key, { n: n++ })
    me.merge(other.takeDelta()!)
    expect(me.online()).toHaveLength(odd.length ** 3)
    expect(other.getByPid("__proto__")).toHaveLength(odd.length ** 2)
    expect(me.getByPid("__proto__")).toEqual([])
    expect(me.getByKey("__proto__", "constructor")).toHaveLength(odd.length)
    for (const pid of odd) other.leaveAll(pid)
    me.merge(other.takeDelta()!)
    expect([me.online(), me.list("__proto__"), other.getByPid("")]).toEqual([[], [], []])
  })
})

describe("a payload from the network", () => {
  it("is ignored where it is invalid, and merged where it is valid", () => {
    const set = knowing("me", "r")
    const good = row("r", 2)
    const rows = [
      row("r", 0),
      row("r", -1),
      row("r", 1.5, { key: "fraction" }),
      row("r", Number.NaN, { key: "nan" }),
      row("elsewhere", 1, { key: "of another" }),
      row("r", 9, { key: "not in seen" }),
      good,
      row("r", 2, { key: "same dot" }),
    ]
    const payload = full({ r: { seen: [1, 3, Number.NaN, 7, 5, 4, 12], rows }, stranger: { seen: [1, 1], rows: [] } })
    expect(change(set.merge(payload)).joins).toEqual([elementOf(good)])
    expect(set.merge(payload)).toBe(NO_CHANGE)
    expect([...set.clocks()]).toEqual([
      ["me", 0],
      ["r", 3],
    ])
  })

  it("can have very high clocks, which cost no more than low ones", () => {
    const set = knowing("me", "r")
    const high = Number.MAX_SAFE_INTEGER
    set.merge(full({ r: { seen: [1, 3, high, high], rows: [row("r", 1), row("r", high, { key: "v" })] } }))
    expect(change(set.merge(full({ r: { seen: [2, high - 1], rows: [] } })))).toEqual({ joins: [], leaves: [] })
    expect(change(set.merge(full({ r: { seen: [1, high], rows: [] } }))).leaves).toHaveLength(2)
    expect(set.clocks().get("r")).toBe(high)
  })

  it("changes nothing of the receiver's own rows and clock", () => {
    const set = knowing("me", "r")
    set.join("p", "t", "u", { n: 1 })
    const payload = full({ me: { seen: [1, Number.MAX_SAFE_INTEGER], rows: [row("me", 7)] } })
    expect(set.merge(payload)).toBe(NO_CHANGE)
    expect(set.clocks().get("me")).toBe(1)
    expect(change(set.join("q", "t", "u", { n: 2 })).joins).toEqual(["t|q|u|2"])
  })

  it("is not changed by a merge, which shares its row objects instead of copying them", () => {
    const [me, other] = [knowing("me", "other"), knowing("other")]
    other.join("p", "t", "u", { n: 1 })
    const delta: Delta = other.takeDelta()!
    const before = structuredClone(delta)
    me.merge(delta)
    expect(me.list("t")[0]).toBe(delta.parts.get("other")!.rows[0])
    other.leave("p", "t", "u")
    me.merge(other.takeDelta()!)
    expect(delta).toEqual(before)
  })
})
