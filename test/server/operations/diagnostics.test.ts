import { channel, subscribe, unsubscribe } from "node:diagnostics_channel"
import { expect, it, onTestFinished, vi } from "vitest"
import { clock } from "../../support/clock.ts"
import { serve } from "../../support/serve.ts"

/** A room on a node called `one`, and a clock of its own. */
async function room() {
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

/** What is published from now on. */
function heard(name: string): unknown[] {
  const messages: unknown[] = []
  const hear = (message: unknown): void => void messages.push(message)
  subscribe(name, hear)
  onTestFinished(() => void unsubscribe(name, hear))
  return messages
}

it("rollcall:count tells of each count, as the meter is told", async () => {
  const { client, counted } = await room()
  const messages = heard("rollcall:count")
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

it("rollcall:observe tells of each size, as the meter is told", async () => {
  const { client } = await room()
  const messages = heard("rollcall:observe")
  const ada = await client()
  await ada.join("rooms:1")
  await ada.rest()
  expect(messages).toEqual([{ node: "one", name: "presence_diff_size", value: 1 }])
})

it("rollcall:stats tells every ten seconds what the server is", async () => {
  const { client, server, timers } = await room()
  const messages = heard("rollcall:stats")
  await (await client()).join("rooms:1")
  timers.advance(20_000)
  expect(messages).toEqual([server.stats(), server.stats()])
  expect(messages).toMatchObject([{ node: "one", connections: 1, channels: 1, trackerRows: 1 }, {}])
  await server.close()
  timers.advance(20_000)
  expect(messages).toHaveLength(2)
})

it("nothing is made for nobody", async () => {
  const publish = ["count", "observe", "stats"].map((name) => vi.spyOn(channel(`rollcall:${name}`), "publish"))
  const { client, timers, server } = await room()
  const stats = vi.spyOn(server, "stats")
  await (await client()).join("rooms:1")
  timers.advance(20_000)
  for (const spy of [...publish, stats]) expect(spy).not.toHaveBeenCalled()
})
