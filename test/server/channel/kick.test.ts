import { afterEach, expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { connect } from "../../../src/client/index.ts"
import type { Channel, ChannelHandlers } from "../../../src/server/index.ts"
import { Inbox } from "../../support/inbox.ts"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { error, ok, serve } from "../../support/serve.ts"
import { linked } from "../../support/linked.ts"

afterEach(disconnectAll)

/** A server whose rooms put each channel, and each end of a channel, into an inbox. */
async function rooms(handlers: Partial<ChannelHandlers> = {}) {
  const channels = new Inbox<Channel>("channels")
  const ends = new Inbox<string>("ends")
  const served = await serve((server) => {
    server.socket("/socket")
    server.channel("rooms:*", {
      join(_topic, _params, channel) {
        channels.put(channel)
        return { ok: {} }
      },
      presence: () => ({ key: "ada" }),
      left: (_channel, reason) => ends.put(reason),
      ...handlers,
    })
  })
  return { ...served, channels, ends }
}

it("channel.kick ends one topic of a client, which gets phx_close with the reason; its connection goes on", async () => {
  const { client, channels, ends, server } = await rooms({ on: { who: () => ({ ok: "ada" }) } })
  const ada = await client()
  await ada.join("rooms:1")
  await ada.join("rooms:2")
  await ada.rest()
  const first = await channels.next()
  first.kick("banned")
  expect(await ada.next()).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_close", { reason: "banned" }])
  expect([await ends.next(), first.ended]).toEqual(["kicked", true])
  expect(server.presence.get("rooms:1", "ada")).toBeUndefined()
  expect(await ada.ask("rooms:2", "who")).toEqual(ok("ada"))
  expect(await ada.ask("rooms:1", "who")).toEqual(error({ reason: "unmatched topic" }))
  first.kick("again")
  expect(await ada.rest()).toEqual([])
})

it("channel.kick in a handler ends the channel after the handler's reply", async () => {
  const { client } = await rooms({
    presence: () => undefined,
    on: {
      swear(_payload, channel) {
        channel.kick("rude")
        return { ok: "heard" }
      },
    },
  })
  const ada = await client()
  await ada.join("rooms:1")
  await ada.rest()
  expect(await ada.ask("rooms:1", "swear")).toEqual(ok("heard"))
  expect(await ada.next()).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_close", { reason: "rude" }])
})

it("channel.kick before the answer to the join takes effect after it", async () => {
  const { client } = await rooms({
    join(_topic, _params, channel) {
      channel.kick("full")
      return { ok: {} }
    },
    presence: () => undefined,
  })
  const ada = await client()
  expect(await ada.join("rooms:1")).toEqual(ok())
  const events = (await ada.rest()) as unknown[][]
  expect(events.map(([, , , event, payload]) => [event, payload])).toContainEqual(["phx_close", { reason: "full" }])
})

it("channel.kick refuses a reason that is not a string", async () => {
  const { client, channels } = await rooms()
  await (await client()).join("rooms:1")
  const channel = await channels.next()
  expect(() => channel.kick(5 as unknown as string)).toThrowError(
    expect.objectContaining({
      code: "config",
      message: linked("expected the reason of a kick to be a string, got a number"),
    }),
  )
  expect(channel.ended).toBe(false)
})

it("phoenix.js does not join again after a kick, and gets the reason in onClose", async () => {
  const { url, channels } = await rooms()
  const channel = officialSocket(url).channel("rooms:1")
  const closed = new Promise((resolve) => channel.onClose(resolve))
  await reply(channel.join())
  ;(await channels.next()).kick("banned")
  expect(await closed).toEqual({ reason: "banned" })
  expect(channel.state).toBe("closed")
})

it("a Rollcall room that was kicked is closed, with the reason", async () => {
  const { url, channels } = await rooms()
  const connection = connect(`${url}/socket`, { transport: WebSocket })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  await room.joined
  ;(await channels.next()).kick("banned")
  await expect.poll(() => room.status).toBe("closed")
  expect(room.reason).toEqual({ code: "kicked", detail: { reason: "banned" } })
})

it.each(["kick", "stop"] as const)(
  "channel.%s in join ends the channel after the answer; presence and joined do not run, and others never see the user",
  async (end) => {
    const ran: string[] = []
    const { client, ends, server } = await rooms({
      join(_topic, { name }, channel) {
        if (name === "eve") channel[end]("banned")
        return { ok: {} }
      },
      presence: ({ pid }) => (ran.push("presence"), { key: pid }),
      joined: () => void ran.push("joined"),
    })
    const diffs: unknown[] = []
    server.presence.onDiff((_topic, diff) => void diffs.push(diff))
    const [ada, eve] = [await client(), await client()]
    await ada.join("rooms:1")
    await ada.rest()
    expect([ran.splice(0), diffs.splice(0)]).toEqual([["presence", "joined"], [expect.anything()]])
    expect(await eve.join("rooms:1", { name: "eve" })).toEqual(ok())
    const payload = end === "kick" ? { reason: "banned" } : {}
    expect(await eve.next()).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_close", payload])
    expect(await ends.next()).toBe(end === "kick" ? "kicked" : "stopped")
    expect([await ada.rest(), ran, diffs]).toEqual([[], [], []])
  },
)
