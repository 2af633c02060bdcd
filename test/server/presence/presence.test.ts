import { describe, expect, it } from "vitest"
import type { Channel, ServerOptions, UpdateRules } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

const WINDOW = 50

const channel = (pid: string, topic = "rooms:1"): Pick<Channel, "pid" | "topic"> => ({ pid, topic })

/** A server whose clients are present under their name, with time standing still. */
async function present(options: ServerOptions = {}, rules: UpdateRules = {}) {
  const timers = clock()
  const served = await serve(
    (server) => {
      const { presence } = server
      server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] }) })
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        joined(channel) {
          if (channel.assigns["name"] === undefined) return
          presence.track(channel, String(channel.assigns["name"]), {})
          channel.push("presence_state", presence.list(channel.topic))
        },
        on: {
          presence_update: (payload, channel) => presence.handleUpdate(channel, payload, rules),
          track(payload: unknown, channel) {
            const { key, meta } = payload as { key: string; meta: object }
            return { ok: presence.track(channel, key, meta) }
          },
          untrack: (payload, channel) => presence.untrack(channel, payload as string),
          say(payload, channel) {
            presence.track(channel, "me")
            channel.push("presence_state", presence.list(channel.topic))
            channel.push("said", payload)
          },
          state: (_payload, channel) => channel.push("presence_state", presence.list(channel.topic)),
          stop: (_payload, channel) => channel.stop(),
          echo: (payload) => ({ ok: payload }),
        },
      })
    },
    { timers, presenceWindowMs: WINDOW, ...options },
  )
  const enter = async (name: string): Promise<Client> => {
    const client = await served.client(`name=${name}`)
    await client.join("rooms:1")
    await client.socket.settled()
    return client
  }
  return { ...served, presence: served.server.presence, timers, enter }
}

const keys = (entries: unknown): string[] => Object.keys(entries as object)

/** The keys that a frame tells of, by what it is. */
function told(frame: unknown): unknown {
  const [, , , event, payload] = frame as [unknown, unknown, unknown, string, { joins: object; leaves: object }]
  if (event === "presence_state") return { state: keys(payload) }
  return event === "presence_diff" ? { joins: keys(payload.joins), leaves: keys(payload.leaves) } : event
}

describe("a window", () => {
  it("sends what changed in it as one diff; who came and went inside it is nowhere", async () => {
    const { enter, timers } = await present()
    const ada = await enter("ada")
    timers.advance(WINDOW)
    expect((await ada.rest()).map(told)).toEqual([{ state: ["ada"] }])
    const ghost = await enter("ghost")
    await enter("bob")
    ghost.push("rooms:1", "phx_leave")
    await ghost.socket.settled()
    expect(await ada.rest()).toEqual([])
    timers.advance(WINDOW)
    expect((await ada.rest()).map(told)).toEqual([{ joins: ["bob"], leaves: [] }])
  })

  it("gives who joins inside it the state at its end, and not its diff: nothing twice, and no ghosts", async () => {
    const { enter, timers } = await present()
    await enter("ada")
    timers.advance(WINDOW)
    const ghost = await enter("ghost")
    const bob = await enter("bob")
    ghost.push("rooms:1", "phx_leave")
    await ghost.socket.settled()
    expect(await bob.rest()).toEqual([])
    timers.advance(WINDOW)
    expect((await bob.rest()).map(told)).toEqual([{ state: ["ada", "bob"] }])
    // From here on it is told of changes like everyone else.
    await enter("carol")
    timers.advance(WINDOW)
    expect((await bob.rest()).map(told)).toEqual([{ joins: ["carol"], leaves: [] }])
  })

  it("keeps the order of what a channel says: what is pushed after the state comes after it", async () => {
    const { enter, timers, server } = await present()
    const ada = await enter("ada")
    timers.advance(WINDOW)
    await ada.rest()
    await enter("bob")
    ada.push("rooms:1", "state")
    await ada.socket.settled()
    server.broadcast("rooms:1", "news")
    timers.advance(WINDOW)
    expect((await ada.rest()).map(told)).toEqual(["news", { state: ["ada", "bob"] }])
  })

  it("holds a push as it was said: what cannot be said crashes its channel at once, after what it has said (P6)", async () => {
    const { enter, timers } = await present()
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    timers.advance(WINDOW)
    await Promise.all([ada.rest(), bob.rest()])
    ada.push("rooms:1", "say", { n: 1 })
    bob.push("rooms:1", "say", "no object")
    expect((await bob.rest()).map(told)).toEqual([{ state: ["ada", "bob", "me"] }, "phx_error"])
    expect(await ada.rest()).toEqual([])
    timers.advance(WINDOW)
    expect((await ada.rest()).map(told)).toEqual([{ state: ["ada", "me"] }, "said"])
  })

  it("is told to its clients whatever a listener of onDiff throws, and who is held for it gets the state", async () => {
    const { enter, presence, timers, logged } = await present()
    presence.onDiff(() => {
      throw new Error("on purpose")
    })
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    timers.advance(WINDOW)
    for (const each of [ada, bob]) expect((await each.rest()).map(told)).toEqual([{ state: ["ada", "bob"] }])
    expect(logged.map(({ message }) => message)).toEqual(["a listener of presence diffs failed"])
    expect(await ada.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  })

  it("of more than maxBufferedBytes has a state all the same: who reads is no slow consumer", async () => {
    const { enter, timers, counted } = await present({ maxBufferedBytes: 1_000 })
    const ada = await enter("ada")
    const track = (n: number): unknown =>
      ada.push("rooms:1", "track", { key: `${n}`, meta: { text: "x".repeat(1_000) } })
    for (let n = 0; n < 5; n += 1) track(n)
    timers.advance(WINDOW)
    await ada.rest()
    const bob = await enter("bob")
    timers.advance(WINDOW)
    expect((await bob.rest()).map(told)).toEqual([{ state: ["0", "1", "2", "3", "4", "ada", "bob"] }])
    expect(counted.get("slow_consumers") ?? 0).toBe(0)
  })

  it("keeps nothing from a client whose channel stops: what was held for the diff comes before phx_close (P15)", async () => {
    const { enter, timers } = await present()
    const ada = await enter("ada")
    timers.advance(WINDOW)
    await ada.rest()
    ada.push("rooms:1", "say", { n: 1 })
    ada.push("rooms:1", "stop")
    expect((await ada.rest()).map(told)).toEqual([{ state: ["ada", "me"] }, "said", "phx_close"])
    timers.advance(WINDOW)
    expect(await ada.rest()).toEqual([])
  })

  it("of false sends each operation as a diff of its own, before the state and to the joiner, too", async () => {
    const { enter } = await present({ presenceWindowMs: false })
    const ada = await enter("ada")
    expect((await ada.rest()).map(told)).toEqual([{ joins: ["ada"], leaves: [] }, { state: ["ada"] }])
    const bob = await enter("bob")
    bob.push("rooms:1", "phx_leave")
    await bob.socket.settled()
    expect((await ada.rest()).map(told)).toEqual([
      { joins: ["bob"], leaves: [] },
      { joins: [], leaves: ["bob"] },
    ])
  })

  it("of false does not tell who joins anew of the end of its former channel (recorded case 04)", async () => {
    const { enter } = await present({ presenceWindowMs: false })
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    await Promise.all([ada.rest(), bob.rest()])
    ada.socket.send('["new","new","rooms:1","phx_join",{}]')
    expect((await ada.rest()).map(told)).toEqual([
      "phx_reply",
      "phx_close",
      { joins: ["ada"], leaves: [] },
      { state: ["bob", "ada"] },
    ])
    expect((await bob.rest()).map(told)).toEqual([
      { joins: [], leaves: ["ada"] },
      { joins: ["ada"], leaves: [] },
    ])
  })
})

describe("list", () => {
  it("is a frozen snapshot, the same object until the topic changes", async () => {
    const { presence } = await present()
    presence.track(channel("1"), "ada", { n: 1 })
    const before = presence.list("rooms:1")
    expect(presence.list("rooms:1")).toBe(before)
    presence.track(channel("2", "rooms:2"), "bob", {})
    expect(presence.list("rooms:1")).toBe(before)
    expect([before, before["ada"], before["ada"]?.metas, before["ada"]?.metas[0]].every(Object.isFrozen)).toBe(true)
    presence.track(channel("2"), "ada", { n: 2 })
    expect(presence.list("rooms:1")).not.toBe(before)
    expect(before["ada"]?.metas).toHaveLength(1)
  })

  it("has many metas under one key, oldest first; an update keeps its place", async () => {
    const { presence } = await present()
    for (const pid of ["1", "2", "3"]) presence.track(channel(pid), "ada", { device: pid })
    presence.update(channel("1"), "ada", { device: "1 again" })
    const devices = presence.get("rooms:1", "ada")?.metas.map((meta) => meta["device"])
    expect(devices).toEqual(["1 again", "2", "3"])
    expect(presence.list("rooms:1")["ada"]?.metas.map((meta) => meta["device"])).toEqual(devices)
    expect(presence.get("rooms:1", "bob")).toBeUndefined()
  })

  it("has the metas of one key in the order of their channels, whenever they were tracked (recorded case 02)", async () => {
    const { presence } = await present()
    for (const pid of ["2", "10", "9"]) presence.track(channel(pid), "ada", { device: pid })
    const devices = (): unknown => presence.list("rooms:1")["ada"]?.metas.map((meta) => meta["device"])
    expect(devices()).toEqual(["2", "9", "10"])
    presence.untrack(channel("2"), "ada")
    presence.track(channel("2"), "ada", { device: "2 again" })
    expect(devices()).toEqual(["2 again", "9", "10"])
    expect(presence.get("rooms:1", "ada")?.metas).toEqual(presence.list("rooms:1")["ada"]?.metas)
  })

  it.each(["__proto__", "constructor", "toString", "", "é😀"])("takes %j for a key like any other", async (key) => {
    const { presence, enter, timers } = await present()
    const ada = await enter("ada")
    presence.track(channel("1"), key, { n: 1 })
    expect(keys(presence.list("rooms:1"))).toContain(key)
    expect(presence.get("rooms:1", key)?.metas).toMatchObject([{ n: 1 }])
    timers.advance(WINDOW)
    expect((await ada.rest()).map(told)).toEqual([{ state: ["ada", key] }])
    presence.untrack(channel("1"), key)
    timers.advance(WINDOW)
    expect((await ada.rest()).map(told)).toEqual([{ joins: [], leaves: [key] }])
    expect(keys({})).toEqual([])
  })

  it("turns a numeric key into its digits (recorded case 08)", async () => {
    const { presence } = await present()
    presence.track(channel("1"), 42)
    expect(keys(presence.list("rooms:1"))).toEqual(["42"])
    presence.untrack(channel("1"), 42)
    expect(keys(presence.list("rooms:1"))).toEqual([])
  })
})

describe("track, update and untrack", () => {
  it("refuse a key that is tracked already, and an update of one that is not (P36, P37)", async () => {
    const { presence } = await present()
    const ref = presence.track(channel("1"), "ada")
    expect(() => presence.track(channel("1"), "ada")).toThrowError(expect.objectContaining({ code: "already_tracked" }))
    expect(() => presence.update(channel("1"), "bob", {})).toThrowError(
      expect.objectContaining({ code: "not_tracked" }),
    )
    expect(presence.get("rooms:1", "ada")?.metas).toEqual([{ phx_ref: ref }])
    presence.untrack(channel("1"), "bob")
    presence.untrack(channel("1"), "ada")
    expect(presence.track(channel("1"), "ada")).not.toBe(ref)
  })

  it("replace a meta, or change it by a function, and name what was replaced", async () => {
    const { presence } = await present()
    const first = presence.track(channel("1"), "ada", { a: 1 })
    const second = presence.update(channel("1"), "ada", { b: 2 })
    expect(presence.get("rooms:1", "ada")?.metas).toEqual([{ b: 2, phx_ref: second, phx_ref_prev: first }])
    const third = presence.update(channel("1"), "ada", (meta) => ({ ...meta, c: 3 }))
    expect(presence.get("rooms:1", "ada")?.metas).toEqual([{ b: 2, c: 3, phx_ref: third, phx_ref_prev: second }])
  })

  it.each([
    ["null", null],
    ["a string", "meta"],
    ["an array", []],
    ["bytes", new Uint8Array([1])],
    ["a date", new Date(0)],
  ])("refuse a meta that is %s", async (_what, meta) => {
    const { presence } = await present()
    expect(() => presence.track(channel("1"), "ada", meta as object)).toThrowError(
      expect.objectContaining({ code: "config" }),
    )
    expect(keys(presence.list("rooms:1"))).toEqual([])
  })

  it.each([[null], [undefined], [{}], [["ada"]]])("refuse %j as a key", async (key) => {
    const { presence } = await present()
    expect(() => presence.track(channel("1"), key as unknown as string)).toThrowError(
      expect.objectContaining({ code: "config" }),
    )
  })

  it("refuse a meta above maxMetaBytes, counted in bytes, and keep the old one", async () => {
    const { presence } = await present({ maxMetaBytes: 20 })
    presence.track(channel("1"), "ada", { a: "é".repeat(6) })
    expect(() => presence.update(channel("1"), "ada", { a: "é".repeat(7) })).toThrowError(
      expect.objectContaining({ code: "meta_too_large" }),
    )
    expect(presence.get("rooms:1", "ada")?.metas).toMatchObject([{ a: "éééééé" }])
  })

  it("refuse one meta too many under one key (maxMetasPerKey)", async () => {
    const { presence } = await present({ maxMetasPerKey: 2 })
    const first = presence.track(channel("1"), "ada")
    presence.track(channel("2"), "ada")
    expect(() => presence.track(channel("3"), "ada")).toThrowError(expect.objectContaining({ code: "too_many_metas" }))
    presence.track(channel("3"), "bob")
    presence.untrack(channel("1"), "ada")
    expect(presence.track(channel("3"), "ada")).not.toBe(first)
  })

  it("leave no ghost of a client that went while its handler was looking something up", async () => {
    const lookups = new Inbox<() => void>("lookups")
    const { client, server, reached, logged } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        async joined(channel) {
          await new Promise<void>((resolve) => lookups.put(resolve))
          server.presence.track(channel, "ghost")
        },
      })
    })
    const one = await client()
    await one.join("rooms:1")
    const found = await lookups.next()
    one.socket.reset()
    await reached("disconnects", 1)
    found()
    await new Promise((resolve) => setImmediate(resolve))
    expect(keys(server.presence.list("rooms:1"))).toEqual([])
    expect(logged).toEqual([])
  })

  it("keep a meta of their own: what is done to the object afterwards does not reach it, nor do its references", async () => {
    const { presence } = await present()
    const meta = { phx_ref: "mine", phx_ref_prev: "mine, too", list: [1], when: new Date(0), nothing: undefined }
    const ref = presence.track(channel("1"), "ada", meta)
    meta.list.push(2)
    expect(presence.get("rooms:1", "ada")?.metas).toEqual([
      { phx_ref: ref, list: [1], when: "1970-01-01T00:00:00.000Z" },
    ])
  })
})

describe("a client's update of its own meta", () => {
  it("puts its fields over the current ones, and is told the new reference", async () => {
    const { enter, presence } = await present()
    const ada = await enter("ada")
    const reply = (await ada.ask("rooms:1", "presence_update", { meta: { status: "away" } })) as {
      response: { phx_ref: string }
    }
    await ada.ask("rooms:1", "presence_update", { meta: { typing: true } })
    expect(presence.get("rooms:1", "ada")?.metas).toMatchObject([
      { status: "away", typing: true, phx_ref_prev: reply.response.phx_ref },
    ])
  })

  it.each([
    ["no object", undefined],
    ["null", null],
    ["an array as meta", { meta: [] }],
    ["a string as meta", { meta: "x" }],
    ["null as meta", { meta: null }],
    ["no meta", { other: {} }],
  ])("is refused when the payload has %s", async (_what, payload) => {
    const { enter } = await present()
    const ada = await enter("ada")
    ada.socket.send(JSON.stringify(["rooms:1", "9", "rooms:1", "presence_update", payload ?? null]))
    expect(((await ada.next()) as unknown[])[4]).toEqual(error({ reason: "meta must be an object" }))
  })

  it("is refused for fields outside the whitelist, hostile ones included", async () => {
    const { enter, presence } = await present({}, { allow: ["status"] })
    const ada = await enter("ada")
    expect(await ada.ask("rooms:1", "presence_update", { meta: { status: "away" } })).toMatchObject({ status: "ok" })
    for (const field of ["role", "__proto__", "phx_ref"]) {
      const meta = JSON.parse(`{"status":"x","${field}":1}`) as object
      expect(await ada.ask("rooms:1", "presence_update", { meta })).toEqual(
        error({ reason: "field not allowed", field }),
      )
    }
    expect(presence.get("rooms:1", "ada")?.metas).toMatchObject([{ status: "away" }])
  })

  it("is refused when it is too large, and when there is nothing to update", async () => {
    const { enter, client } = await present({ maxMetaBytes: 40 })
    const [ada, nobody] = [await enter("ada"), await client()]
    await nobody.join("rooms:1")
    const large = { meta: { status: "x".repeat(50) } }
    expect(await ada.ask("rooms:1", "presence_update", large)).toEqual(error({ reason: "meta_too_large" }))
    expect(await nobody.ask("rooms:1", "presence_update", { meta: {} })).toEqual(error({ reason: "not tracked" }))
    expect(await ada.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  })
})

describe("onDiff", () => {
  it("tells what the clients are told, as they are told it, until it is undone", async () => {
    const { presence, timers } = await present()
    const diffs: unknown[] = []
    const undo = presence.onDiff((topic, diff) => diffs.push([topic, keys(diff.joins), keys(diff.leaves)]))
    presence.track(channel("1"), "ada")
    expect(diffs).toEqual([])
    timers.advance(WINDOW)
    await new Promise(setImmediate)
    expect(diffs).toEqual([["rooms:1", ["ada"], []]])
    undo()
    presence.untrack(channel("1"), "ada")
    timers.advance(WINDOW)
    await new Promise(setImmediate)
    expect(diffs).toHaveLength(1)
  })
})
