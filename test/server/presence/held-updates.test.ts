import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Channel, ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

/** A room whose clients update their own metas, with a clock that the test advances. */
async function room(options: ServerOptions = {}) {
  const timers = clock()
  const channels: Channel[] = []
  const served = await serve(
    (server) => {
      const { presence } = server
      server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] }) })
      server.channel("rooms:*", {
        join(_topic, _params, channel) {
          channels.push(channel)
          return { ok: {} }
        },
        presence: (channel) => ({ key: String(channel.assigns["name"]), meta: { n: 0 } }),
        on: {
          update: (payload, channel) => presence.handleUpdate(channel, payload),
          promote: (_payload, channel) =>
            void presence.update(channel, String(channel.assigns["name"]), (meta) => ({ ...meta, role: "admin" })),
          replace: (_payload, channel) =>
            void presence.update(channel, String(channel.assigns["name"]), { replaced: true }),
          again: (_payload, channel) => {
            presence.untrack(channel, String(channel.assigns["name"]))
            presence.track(channel, String(channel.assigns["name"]), { fresh: true })
          },
        },
      })
    },
    { timers, presenceWindowMs: false, ...options },
  )
  const enter = async (name: string): Promise<Client> => {
    const client = await served.client(`name=${name}`)
    await client.join("rooms:1")
    await client.rest()
    return client
  }
  const meta = (name: string): unknown => served.server.presence.get("rooms:1", name)?.metas[0]
  return { ...served, timers, channels, enter, meta }
}

const statuses = (frames: readonly unknown[]): unknown[] =>
  (frames as unknown[][])
    .filter(([, , , event]) => event === "phx_reply")
    .map((frame) => (frame[4] as { status: string }).status)
const diffs = (frames: readonly unknown[]): unknown[] =>
  (frames as unknown[][]).filter(([, , , event]) => event === "presence_diff")

describe("the presence updates of a client beyond maxUpdatesPerSecond", () => {
  it("are merged, the last one is applied and sent, each is answered, and the connection stays open", async () => {
    const { enter, meta, timers, counted } = await room()
    const [ada, bob] = [await enter("ada"), await enter("bob")]
    await ada.rest()
    for (let n = 1; n <= 200; n += 1) ada.push("rooms:1", "update", { meta: { n, [`field ${n % 3}`]: n } })
    expect(statuses(await ada.rest())).toEqual(Array.from({ length: 200 }, () => "ok"))
    expect(diffs(await bob.rest())).toHaveLength(20)
    expect(meta("ada")).toMatchObject({ n: 20 })
    expect(counted.get("held_updates")).toBe(180)
    timers.advance(999)
    expect(meta("ada")).toMatchObject({ n: 20 })
    timers.advance(1)
    expect(meta("ada")).toMatchObject({ n: 200, "field 0": 198, "field 1": 199, "field 2": 200 })
    expect(diffs(await bob.rest())).toHaveLength(1)
    timers.advance(1_000)
    ada.push("rooms:1", "update", { meta: { n: 201 } })
    await ada.rest()
    expect(meta("ada")).toMatchObject({ n: 201 })
  })

  it("are applied before a change that the server makes of them, and dropped by one that replaces them", async () => {
    const { enter, meta, timers } = await room({ maxUpdatesPerSecond: 1 })
    const ada = await enter("ada")
    for (const n of [1, 2]) ada.push("rooms:1", "update", { meta: { n } })
    ada.push("rooms:1", "promote")
    await ada.rest()
    expect(meta("ada")).toMatchObject({ n: 2, role: "admin" })
    timers.advance(2_000)
    for (const n of [3, 4]) ada.push("rooms:1", "update", { meta: { n } })
    ada.push("rooms:1", "replace")
    await ada.rest()
    timers.advance(2_000)
    expect(meta("ada")).toEqual({ replaced: true, phx_ref: expect.any(String), phx_ref_prev: expect.any(String) })
  })

  it("are dropped with the presence that they are for", async () => {
    const { enter, meta, timers, reached, logged, server } = await room({ maxUpdatesPerSecond: 1 })
    const ada = await enter("ada")
    for (const n of [1, 2]) ada.push("rooms:1", "update", { meta: { n } })
    ada.push("rooms:1", "again")
    await ada.rest()
    timers.advance(2_000)
    expect(meta("ada")).toEqual({ fresh: true, phx_ref: expect.any(String) })
    for (const n of [3, 4]) ada.push("rooms:1", "update", { meta: { n } })
    await ada.rest()
    ada.socket.reset()
    await reached("leaves", 1)
    timers.advance(2_000)
    expect(server.presence.get("rooms:1", "ada")).toBeUndefined()
    expect(logged).toEqual([])
  })

  it("are refused like others when the meta would be too large, and what was held before stays", async () => {
    const { enter, meta, timers } = await room({ maxUpdatesPerSecond: 1, maxMetaBytes: 120 })
    const ada = await enter("ada")
    const texts = ["a", "b", "c".repeat(120), "d"]
    for (const text of texts.slice(0, 3)) ada.push("rooms:1", "update", { meta: { text } })
    expect(statuses(await ada.rest())).toEqual(["ok", "ok", "error"])
    timers.advance(1_000)
    expect(meta("ada")).toMatchObject({ text: "b" })
  })

  it("are merged into or dropped by a change that names the channel by its pid and topic only", async () => {
    const { enter, meta, timers, channels, server } = await room({ maxUpdatesPerSecond: 1 })
    const ada = await enter("ada")
    const { pid, topic } = channels[0]!
    for (const n of [1, 2]) ada.push("rooms:1", "update", { meta: { n } })
    await ada.rest()
    server.presence.update({ pid, topic }, "ada", (current) => ({ ...current, role: "admin" }))
    expect(meta("ada")).toMatchObject({ n: 2, role: "admin" })
    timers.advance(2_000)
    for (const n of [3, 4]) ada.push("rooms:1", "update", { meta: { n } })
    await ada.rest()
    server.presence.untrack({ pid, topic }, "ada")
    server.presence.track({ pid, topic }, "ada", { fresh: true })
    timers.advance(2_000)
    expect(meta("ada")).toEqual({ fresh: true, phx_ref: expect.any(String) })
  })

  it("stay when a change that the server makes of them fails", async () => {
    const { enter, meta, timers, channels, server } = await room({ maxUpdatesPerSecond: 1, maxMetaBytes: 120 })
    const ada = await enter("ada")
    for (const n of [1, 2]) ada.push("rooms:1", "update", { meta: { n } })
    await ada.rest()
    const tooLarge = { text: "x".repeat(200) }
    expect(() => server.presence.update(channels[0]!, "ada", tooLarge)).toThrow("expected a meta of at most")
    expect(() => server.presence.update(channels[0]!, "ada", () => tooLarge)).toThrow("expected a meta of at most")
    timers.advance(2_000)
    expect(meta("ada")).toMatchObject({ n: 2 })
  })

  it("are held, too, when Supabase's client sends them by track: the last one replaces the meta", async () => {
    const timers = clock()
    const { client, counted, server } = await serve(
      (server) => {
        server.socket("/socket", { dialect: "supabase" })
        server.channel("realtime:*", { join: () => ({ ok: {} }) })
      },
      { timers, maxUpdatesPerSecond: 1 },
    )
    const ada = await client()
    await ada.join("realtime:1", { config: { presence: { key: "ada" } } })
    for (let n = 0; n <= 50; n += 1) {
      ada.push("realtime:1", "presence", { event: "track", payload: { n, [`field ${n}`]: n } })
    }
    expect(statuses(await ada.rest())).toEqual(Array.from({ length: 51 }, () => "ok"))
    const meta = (): unknown => server.presence.get("realtime:1", "ada")?.metas[0]
    const refs = { phx_ref: expect.any(String), phx_ref_prev: expect.any(String) }
    expect(meta()).toEqual({ n: 1, "field 1": 1, ...refs })
    expect(counted.get("held_updates")).toBe(49)
    timers.advance(1_000)
    expect(meta()).toEqual({ n: 50, "field 50": 50, ...refs })
    ada.push("realtime:1", "presence", { event: "track", payload: { n: 51 } })
    ada.push("realtime:1", "presence", { event: "untrack" })
    ada.push("realtime:1", "presence", { event: "track", payload: { n: 52 } })
    await ada.rest()
    timers.advance(2_000)
    expect(meta()).toEqual({ n: 52, phx_ref: expect.any(String) })
  })

  it("lead to the same meta as without a limit, and never to more than the limit within a second", async () => {
    const steps = fc.array(
      fc.record({
        ms: fc.oneof(fc.constant(0), fc.nat(1_500)),
        meta: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.nat(9)),
      }),
      { maxLength: 40 },
    )
    const play = (updates: readonly { ms: number; meta: object }[], max: number): void => {
      const timers = clock()
      const { presence } = createServer({ timers, maxUpdatesPerSecond: max, presenceWindowMs: false })
      const channel = { topic: "rooms:1", pid: "1" }
      presence.track(channel, "ada", {})
      const applied: number[] = []
      presence.onDiff(
        (_topic, { joins }) => void (joins["ada"]?.metas[0]?.["phx_ref_prev"] && applied.push(timers.now())),
      )
      const expected = {}
      for (const { ms, meta } of updates) {
        timers.advance(ms)
        expect(presence.handleUpdate(channel, { meta })).toMatchObject({ ok: {} })
        Object.assign(expected, meta)
      }
      timers.advance(1_000)
      expect(presence.get("rooms:1", "ada")?.metas[0]).toMatchObject(expected)
      for (const [at, start] of applied.entries()) {
        expect(applied.slice(at).filter((time) => time < start + 1_000).length).toBeLessThanOrEqual(max)
      }
    }
    fc.assert(fc.property(steps, fc.integer({ min: 1, max: 5 }), play))
  })
})
