import { afterEach, describe, expect, it } from "vitest"
import type { ServerOptions } from "../../../src/server/index.ts"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { error, ok, serve } from "../../support/serve.ts"

afterEach(disconnectAll)

const LIMITS: ServerOptions = { maxKeyLength: 10, maxKeysPerChannel: 2, maxMetaBytes: 20, maxMetasPerKey: 2 }

/** A server whose clients choose their own keys and metas: in the params of a join, and in messages. */
async function serveChosenKeys(options: ServerOptions = LIMITS) {
  return serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", {
      join: (_topic, params, channel) => {
        if (typeof params["key"] === "string") channel.assigns.name = params["key"]
        return { ok: {} }
      },
      presence: (channel) => (channel.assigns.name === "" ? undefined : { key: channel.assigns.name }),
      on: {
        track: (payload, channel) => {
          const { key, meta } = payload as { key: string; meta?: object }
          return { ok: { phx_ref: server.presence.track(channel, key, meta) } }
        },
        "track later": async (payload, channel) => {
          await undefined
          server.presence.track(channel, (payload as { key: string }).key)
        },
        echo: (payload) => ({ ok: payload }),
      },
    })
  }, options)
}

describe("a client that chooses its key and meta", () => {
  it.each([
    ["key_too_long", "track", { key: "x".repeat(11) }],
    ["key_too_long", "track later", { key: "x".repeat(11) }],
    ["meta_too_large", "track", { key: "a", meta: { text: "x".repeat(20) } }],
  ])("gets the reason %s as the reply to %j, and its channel goes on", async (reason, event, payload) => {
    const { client, server, counted } = await serveChosenKeys()
    const ada = await client("name=ada")
    await ada.join("rooms:1")
    await ada.rest()
    expect(await ada.ask("rooms:1", event, payload)).toEqual(error({ reason }))
    expect(await ada.ask("rooms:1", "echo", { on: true })).toEqual(ok({ on: true }))
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual(["ada"])
    expect([counted.get("refused_presences"), counted.get("channel_crashes")]).toEqual([1, undefined])
  })

  it("gets the reason too_many_keys, and too_many_metas for a key that others have", async () => {
    const { client } = await serveChosenKeys()
    const [ada, bob] = [await client(), await client()]
    for (const who of [ada, bob]) {
      await who.join("rooms:1")
      await who.rest()
    }
    const track = async (who: typeof ada, key: string) => {
      who.push("rooms:1", "track", { key })
      const replies = (await who.rest()).filter((frame) => (frame as string[])[3] === "phx_reply")
      return (replies as unknown[][])[0]?.[4]
    }
    expect(await track(ada, "one")).toMatchObject({ status: "ok" })
    expect(await track(ada, "two")).toMatchObject({ status: "ok" })
    expect(await track(ada, "three")).toEqual(error({ reason: "too_many_keys" }))
    expect(await track(bob, "one")).toMatchObject({ status: "ok" })
    const eve = await client()
    await eve.join("rooms:1")
    await eve.rest()
    expect(await track(eve, "one")).toEqual(error({ reason: "too_many_metas" }))
  })

  it("and joins with a key of 900 kB gets phx_error with the reason; the others never see the key", async () => {
    const { client, server } = await serveChosenKeys({})
    const [ada, eve] = [await client("name=ada"), await client()]
    await ada.join("rooms:1")
    await ada.rest()
    expect(await eve.join("rooms:1", { key: "x".repeat(900_000) })).toEqual(ok())
    expect(await eve.next()).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_error", { reason: "key_too_long" }])
    expect(await ada.rest()).toEqual([])
    expect(Object.keys(server.presence.list("rooms:1"))).toEqual(["ada"])
  })

  it("is counted for each refusal: of a key, of what it says of itself when it joins, and of its updates", async () => {
    const { client, counted, reached } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        allow: ["text"],
        presence: (channel, me) => ({ key: channel.topic, meta: me }),
      })
    }, LIMITS)
    const ada = await client()
    await ada.join("rooms:1", { me: { text: "x".repeat(20) } })
    expect(counted.get("refused_presences")).toBe(1)
    await ada.join("rooms:2", { me: { text: "x" } })
    for (const meta of [{ text: "x".repeat(20) }, { role: "owner" }, "x"]) {
      await ada.rest()
      expect(await ada.ask("rooms:2", "presence_update", { meta })).toMatchObject({ status: "error" })
    }
    expect(counted.get("refused_presences")).toBe(4)
    // The key, which the handler makes of the topic, is too long.
    await ada.join("rooms:too-long", {})
    await reached("refused_presences", 5)
  })

  it("is served by the official client: its push is answered with an error", async () => {
    const { url } = await serveChosenKeys()
    const channel = officialSocket(url).channel("rooms:1")
    await reply(channel.join())
    expect(await reply(channel.push("track", { key: "x".repeat(11) }))).toEqual({
      status: "error",
      response: { reason: "key_too_long" },
    })
  })
})
