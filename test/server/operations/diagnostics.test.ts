import { channel, subscribe, unsubscribe } from "node:diagnostics_channel"
import { expect, it, onTestFinished, vi } from "vitest"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"

/** A server on the node `one`, with a clock of its own and channels that track a user. */
async function serveRooms() {
  const timers = clock()
  const served = await serve(
    (server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        joined: (channel) => void server.presence.track(channel, "ada"),
      })
    },
    { node: "one", timers },
  )
  return { ...served, timers }
}

/** Returns the messages of a diagnostics channel, from now on. */
function messagesOf(name: string): unknown[] {
  const messages: unknown[] = []
  const onMessage = (message: unknown): void => void messages.push(message)
  subscribe(name, onMessage)
  onTestFinished(() => void unsubscribe(name, onMessage))
  return messages
}

it("rollcall:count publishes every count that the meter gets", async () => {
  const { client, counted } = await serveRooms()
  const messages = messagesOf("rollcall:count")
  const before = new Map(counted)
  await (await client()).join("rooms:1")
  const sums = new Map(before)
  for (const { node, name, by } of messages as { node: string; name: string; by: number }[]) {
    expect(node).toBe("one")
    sums.set(name, (sums.get(name) ?? 0) + by)
  }
  expect(sums).toEqual(counted)
  expect(sums.get("joins")).toBe(1)
})

it("rollcall:observe publishes every size that is observed", async () => {
  const { client } = await serveRooms()
  const messages = messagesOf("rollcall:observe")
  const ada = await client()
  await ada.join("rooms:1")
  await ada.rest()
  expect(messages).toEqual([{ node: "one", name: "presence_diff_size", value: 1 }])
})

it("rollcall:stats publishes the server's stats every ten seconds until it closes", async () => {
  const { client, server, timers } = await serveRooms()
  const messages = messagesOf("rollcall:stats")
  await (await client()).join("rooms:1")
  timers.advance(20_000)
  expect(messages).toEqual([server.stats(), server.stats()])
  expect(messages).toMatchObject([{ node: "one", connections: 1, channels: 1, trackerRows: 1 }, {}])
  await server.close()
  timers.advance(20_000)
  expect(messages).toHaveLength(2)
})

it("nothing is published, and no stats are made, without a subscriber", async () => {
  const publish = ["count", "observe", "stats"].map((name) => vi.spyOn(channel(`rollcall:${name}`), "publish"))
  const { client, timers, server } = await serveRooms()
  const stats = vi.spyOn(server, "stats")
  await (await client()).join("rooms:1")
  timers.advance(20_000)
  for (const spy of [...publish, stats]) expect(spy).not.toHaveBeenCalled()
})
