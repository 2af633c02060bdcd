import { describe, expect, it } from "vitest"
import { copyJsonObject } from "../../../src/json.ts"
import type { Channel, ServerOptions, UpdateRules } from "../../../src/server/index.ts"
import { createTracker } from "../../../src/tracker/index.ts"
import type { Tracker } from "../../../src/tracker/index.ts"
import { clock } from "../../support/clock.ts"
import { Inbox } from "../../support/inbox.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"
import { linked } from "../../support/linked.ts"

const WINDOW = 50

const channel = (pid: string, topic = "rooms:1"): Pick<Channel, "pid" | "topic"> => ({ pid, topic })

/** A server that tracks its clients under their names and pushes them the state, with a clock that the test advances. */
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
          "state-and-note"(payload, channel) {
            presence.track(channel, "me")
            channel.push("presence_state", presence.list(channel.topic))
            channel.push("note", payload)
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

/** Returns the keys in a presence frame, or the event of any other frame. */
function keysOf(frame: unknown): unknown {
  const [, , , event, payload] = frame as [unknown, unknown, unknown, string, { joins: object; leaves: object }]
  if (event === "presence_state") return { state: keys(payload) }
  return event === "presence_diff" ? { joins: keys(payload.joins), leaves: keys(payload.leaves) } : event
}

describe("the window in which changes are collected", () => {
  it("ends with one diff of all changes, without users that joined and left inside it", async () => {
    const { enter, timers } = await present()
    const ada = await enter("ada")
    timers.advance(WINDOW)
    expect((await ada.rest()).map(keysOf)).toEqual([{ state: ["ada"] }])
    const ghost = await enter("ghost")
    await enter("bob")
    ghost.push("rooms:1", "phx_leave")
    await ghost.socket.settled()
    expect(await ada.rest()).toEqual([])
    timers.advance(WINDOW)
    expect((await ada.rest()).map(keysOf)).toEqual([{ joins: ["bob"], leaves: [] }])
  })

  it("ends with the state, and without the diff, for a client that joined inside it", async () => {
    const { enter, timers } = await present()
    await enter("ada")
    timers.advance(WINDOW)
    const ghost = await enter("ghost")
    const bob = await enter("bob")
    ghost.push("rooms:1", "phx_leave")
    await ghost.socket.settled()
    expect(await bob.rest()).toEqual([])
    timers.advance(WINDOW)
    expect((await bob.rest()).map(keysOf)).toEqual([{ state: ["ada", "bob"] }])
    // From here on it gets diffs like all others.
    await enter("carol")
    timers.advance(WINDOW)
    expect((await bob.rest()).map(keysOf)).toEqual([{ joins: ["carol"], leaves: [] }])
  })

  it("delays a state that is pushed again, but not the broadcasts of others", async () => {
    const { enter, timers, server } = await present()
    const ada = await enter("ada")
    timers.advance(WINDOW)
    await ada.rest()
    await enter("bob")
    ada.push("rooms:1", "state")
    await ada.socket.settled()
    server.broadcast("rooms:1", "news")
    timers.advance(WINDOW)
    expect((await ada.rest()).map(keysOf)).toEqual(["news", { state: ["ada", "bob"] }])
  })

  it("delays pushes behind the state, but a payload that cannot be encoded crashes its channel at once (P6)", async () => {
    const { enter, timers } = await present()
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    timers.advance(WINDOW)
    await Promise.all([ada.rest(), bob.rest()])
    ada.push("rooms:1", "state-and-note", { n: 1 })
    bob.push("rooms:1", "state-and-note", "no object")
    expect((await bob.rest()).map(keysOf)).toEqual([{ state: ["ada", "bob", "me"] }, "phx_error"])
    expect(await ada.rest()).toEqual([])
    timers.advance(WINDOW)
    expect((await ada.rest()).map(keysOf)).toEqual([{ state: ["ada", "me"] }, "note"])
  })

  it("ends for all clients as usual when a listener of onDiff throws", async () => {
    const { enter, presence, timers, logged } = await present()
    presence.onDiff(() => {
      throw new Error("on purpose")
    })
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    timers.advance(WINDOW)
    for (const each of [ada, bob]) expect((await each.rest()).map(keysOf)).toEqual([{ state: ["ada", "bob"] }])
    expect(logged.map(({ message }) => message)).toEqual(["a listener of presence diffs failed"])
    expect(await ada.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  })

  it("delivers a state larger than maxBufferedBytes, since a client that reads is no slow consumer", async () => {
    const { enter, timers, counted } = await present({ maxBufferedBytes: 1_000 })
    const ada = await enter("ada")
    const track = (n: number): unknown =>
      ada.push("rooms:1", "track", { key: `${n}`, meta: { text: "x".repeat(1_000) } })
    for (let n = 0; n < 5; n += 1) track(n)
    timers.advance(WINDOW)
    await ada.rest()
    const bob = await enter("bob")
    timers.advance(WINDOW)
    expect((await bob.rest()).map(keysOf)).toEqual([{ state: ["0", "1", "2", "3", "4", "ada", "bob"] }])
    expect(counted.get("slow_consumers") ?? 0).toBe(0)
  })

  it("ends early for a channel that stops: what waited for the diff comes before phx_close (P15)", async () => {
    const { enter, timers } = await present()
    const ada = await enter("ada")
    timers.advance(WINDOW)
    await ada.rest()
    ada.push("rooms:1", "state-and-note", { n: 1 })
    ada.push("rooms:1", "stop")
    expect((await ada.rest()).map(keysOf)).toEqual([{ state: ["ada", "me"] }, "note", "phx_close"])
    timers.advance(WINDOW)
    expect(await ada.rest()).toEqual([])
  })

  it("of false sends each operation as a diff of its own, before the state and to the joining client as well", async () => {
    const { enter } = await present({ presenceWindowMs: false })
    const ada = await enter("ada")
    expect((await ada.rest()).map(keysOf)).toEqual([{ joins: ["ada"], leaves: [] }, { state: ["ada"] }])
    const bob = await enter("bob")
    bob.push("rooms:1", "phx_leave")
    await bob.socket.settled()
    expect((await ada.rest()).map(keysOf)).toEqual([
      { joins: ["bob"], leaves: [] },
      { joins: [], leaves: ["bob"] },
    ])
  })

  it("of false sends a client that joins again no diff for the end of its former channel (recorded case 04)", async () => {
    const { enter } = await present({ presenceWindowMs: false })
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    await Promise.all([ada.rest(), bob.rest()])
    ada.socket.send('["new","new","rooms:1","phx_join",{}]')
    expect((await ada.rest()).map(keysOf)).toEqual([
      "phx_reply",
      "phx_close",
      { joins: ["ada"], leaves: [] },
      { state: ["bob", "ada"] },
    ])
    expect((await bob.rest()).map(keysOf)).toEqual([
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

  it.each(["__proto__", "constructor", "toString", "", "é😀"])("treats %j as a key like any other", async (key) => {
    const { presence, enter, timers } = await present()
    const ada = await enter("ada")
    presence.track(channel("1"), key, { n: 1 })
    expect(keys(presence.list("rooms:1"))).toContain(key)
    expect(presence.get("rooms:1", key)?.metas).toMatchObject([{ n: 1 }])
    timers.advance(WINDOW)
    expect((await ada.rest()).map(keysOf)).toEqual([{ state: ["ada", key] }])
    presence.untrack(channel("1"), key)
    timers.advance(WINDOW)
    expect((await ada.rest()).map(keysOf)).toEqual([{ joins: [], leaves: [key] }])
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
  it("refuse a key that is tracked already, and an update of one that is not (T36, T37)", async () => {
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

  it("replace a meta, or change it by a function, and name the replaced one in phx_ref_prev", async () => {
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

  it.each([[null], [undefined], [{}], [["ada"]], [NaN], [Infinity]])("refuse %o as a key", async (key) => {
    const { presence } = await present()
    expect(() => presence.track(channel("1"), key as unknown as string)).toThrowError(
      expect.objectContaining({ code: "config" }),
    )
  })

  it("refuse a meta above maxMetaBytes, counted in bytes of UTF-8, and keep the old one", async () => {
    const { presence } = await present({ maxMetaBytes: 20 })
    presence.track(channel("1"), "ada", { a: "é".repeat(6) })
    expect(() => presence.update(channel("1"), "ada", { a: "é".repeat(7) })).toThrowError(
      expect.objectContaining({ code: "meta_too_large" }),
    )
    expect(presence.get("rooms:1", "ada")?.metas).toMatchObject([{ a: "éééééé" }])
  })

  it("refuse a key above maxKeyLength, 256 characters by default", async () => {
    const { presence } = await present()
    presence.track(channel("1"), "é".repeat(256))
    expect(() => presence.track(channel("1"), "x".repeat(257))).toThrowError(
      expect.objectContaining({
        code: "key_too_long",
        message: linked("expected a presence key of at most 256 characters (maxKeyLength), got 257", "key_too_long"),
      }),
    )
    expect(keys(presence.list("rooms:1"))).toEqual(["é".repeat(256)])
  })

  it("refuse one more key of a channel than maxKeysPerChannel, 100 by default, until it is untracked from one", async () => {
    const { presence } = await present()
    for (let n = 0; n < 100; n += 1) presence.track(channel("1"), n)
    const tooMany = expect.objectContaining({ code: "too_many_keys" })
    expect(() => presence.track(channel("1"), "one more")).toThrowError(tooMany)
    expect(() => presence.track(channel("1"), 1)).toThrowError(expect.objectContaining({ code: "already_tracked" }))
    presence.track({ ...channel("1"), topic: "rooms:2" }, "in another topic")
    presence.track(channel("2"), "of another channel")
    presence.untrack(channel("1"), 50)
    presence.track(channel("1"), "one more")
    expect(() => presence.track(channel("1"), "and another")).toThrowError(tooMany)
  })

  it("refuse one more meta under a key than maxMetasPerKey", async () => {
    const { presence } = await present({ maxMetasPerKey: 2 })
    const first = presence.track(channel("1"), "ada")
    presence.track(channel("2"), "ada")
    expect(() => presence.track(channel("3"), "ada")).toThrowError(expect.objectContaining({ code: "too_many_metas" }))
    presence.track(channel("3"), "bob")
    presence.untrack(channel("1"), "ada")
    expect(presence.track(channel("3"), "ada")).not.toBe(first)
  })

  it("refuse a channel that has ended while its handler was waiting, which would leave a ghost", async () => {
    const lookups = new Inbox<() => void>("look-ups")
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

  it("copy a meta, without references of its own, so that later changes of the object do not reach it", async () => {
    const { presence } = await present()
    const meta = { phx_ref: "mine", phx_ref_prev: "mine as well", list: [1], when: new Date(0), nothing: undefined }
    const ref = presence.track(channel("1"), "ada", meta)
    meta.list.push(2)
    expect(presence.get("rooms:1", "ada")?.metas).toEqual([
      { phx_ref: ref, list: [1], when: "1970-01-01T00:00:00.000Z" },
    ])
  })
})

describe("a client's update of its own meta", () => {
  it("sets its fields among the current ones, and gets the new reference as reply", async () => {
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

  it("is refused for fields that are not allowed, also __proto__ and phx_ref", async () => {
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

  it("is refused when it is too large, and when the client is not tracked", async () => {
    const { enter, client } = await present({ maxMetaBytes: 40 })
    const [ada, guest] = [await enter("ada"), await client()]
    await guest.join("rooms:1")
    const large = { meta: { status: "x".repeat(50) } }
    expect(await ada.ask("rooms:1", "presence_update", large)).toEqual(error({ reason: "meta_too_large" }))
    expect(await guest.ask("rooms:1", "presence_update", { meta: {} })).toEqual(error({ reason: "not tracked" }))
    expect(await ada.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  })
})

describe("onDiff", () => {
  it("calls a listener with each diff when it is sent, until it is removed", async () => {
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

  it("calls a listener that is added twice twice, and removes one registration at a time", async () => {
    const { presence, timers } = await present()
    let calls = 0
    const listener = (): void => void (calls += 1)
    const undo = presence.onDiff(listener)
    presence.onDiff(listener)
    const change = async (pid: string): Promise<void> => {
      presence.track(channel(pid), "ada")
      timers.advance(WINDOW)
      await new Promise(setImmediate)
    }
    await change("1")
    expect(calls).toBe(2)
    undo()
    undo()
    await change("2")
    expect(calls).toBe(3)
  })
})

describe("a tracker that the application passes in", () => {
  it("may lack countByKey: then the metas of a key are listed and counted", async () => {
    const { countByKey: _, ...tracker } = bound(createTracker())
    const { presence } = await present({ tracker, maxMetasPerKey: 1 })
    presence.track(channel("1"), "ada")
    expect(() => presence.track(channel("2"), "ada")).toThrowError(expect.objectContaining({ code: "too_many_metas" }))
  })

  it("is asked only for the number of a key's metas, never for the metas, when a presence is tracked and when diffs are sent", async () => {
    const tracker = bound(createTracker())
    let listed = 0
    const { presence, timers, enter } = await present({
      tracker: { ...tracker, getByKey: (...args) => ((listed += 1), tracker.getByKey(...args)) },
    })
    await enter("ada")
    for (let n = 0; n < 100; n += 1) presence.track(channel(`${1_000 + n}`), "ada")
    timers.advance(WINDOW)
    await new Promise(setImmediate)
    expect(presence.list("rooms:1")["ada"]?.metas).toHaveLength(101)
    expect(listed).toBe(0)
  })

  it("gets a meta that it need not copy again", async () => {
    const tracker = bound(createTracker())
    const copies: boolean[] = []
    const { presence } = await present({
      tracker: {
        ...tracker,
        track(pid, topic, key, meta) {
          const copy = copyJsonObject("a meta", meta)
          copies.push(copy === meta)
          // The tracker copies every other meta.
          expect(copyJsonObject("a meta", meta)).not.toBe(meta)
          return tracker.track(pid, topic, key, copy)
        },
      },
    })
    const meta = { n: 1 }
    presence.track(channel("1"), "ada", meta)
    expect(copies).toEqual([true])
    meta.n = 2
    expect(presence.get("rooms:1", "ada")?.metas).toMatchObject([{ n: 1 }])
  })

  /** Returns a tracker's methods as own properties, so that a test can replace one of them. */
  function bound(tracker: Tracker): Tracker {
    const { size } = tracker
    return {
      size,
      nodes: () => tracker.nodes(),
      track: (...args) => tracker.track(...args),
      untrack: (...args) => tracker.untrack(...args),
      update: (...args) => tracker.update(...args),
      list: (topic) => tracker.list(topic),
      getByKey: (topic, key) => tracker.getByKey(topic, key),
      countByKey: (topic, key) => tracker.countByKey?.(topic, key) ?? -1,
      getByPid: (pid, topic) => tracker.getByPid(pid, topic),
      onDiff: (listener) => tracker.onDiff(listener),
      goodbye: () => tracker.goodbye(),
      close: (options) => tracker.close(options),
    }
  }
})
