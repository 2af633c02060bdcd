import { expect, it } from "vitest"
import type { Serializer } from "../../../src/server/index.ts"
import { v2 } from "../../../src/wire/v2.ts"
import { clock } from "../../support/clock.ts"
import { ok, serve } from "../../support/serve.ts"

// A serializer of an application may throw where the protocol's own never do. That must end one connection, not the process.

/** Version 2, except that it cannot reply to a heartbeat, nor to a join of `broken:*`. */
const faulty: Serializer = {
  ...v2,
  vsn: "4.0.0",
  reply(joinRef, ref, topic, status, response) {
    if (topic === "phoenix" || String(topic).startsWith("broken:")) throw new Error("cannot encode this")
    return v2.reply(joinRef, ref, topic, status, response)
  },
}

const join = (topic: string, params: object = {}): string => JSON.stringify(["1", "1", topic, "phx_join", params])
const heartbeat = '[null,"2","phoenix","heartbeat",{}]'
const closed = { event: "close", code: 1011, reason: "" }

async function served() {
  const timers = clock()
  const after = (ms: number): Promise<void> => new Promise((resolve) => timers.set(() => resolve(), ms))
  const { client, logged } = await serve(
    (server) => {
      server.socket("/socket")
      server.channel("*", {
        async join(_topic, { ms }) {
          if (typeof ms === "number") await after(ms)
          return { ok: {} }
        },
        on: { echo: (payload) => ({ ok: payload }) },
      })
    },
    { timers, serializers: [faulty] },
  )
  const neighbour = await client()
  await neighbour.join("rooms:1")
  return { faulty: await client("vsn=4.0.0"), neighbour, logged, timers }
}

it("a reply that cannot be encoded ends its connection with 1011, and no other", async () => {
  const { faulty, neighbour, logged } = await served()
  faulty.socket.send(heartbeat)
  expect(await faulty.next()).toEqual(closed)
  expect(await neighbour.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  expect(logged.map(({ message }) => message)).toEqual(["a message could not be answered"])
})

it("the answer to a slow join that cannot be encoded ends its connection with 1011, and drops the messages that waited", async () => {
  const { faulty, neighbour, timers } = await served()
  faulty.socket.burst([join("broken:1", { ms: 100 }), join("rooms:1")])
  await faulty.socket.settled()
  timers.advance(100)
  expect(await faulty.next()).toEqual(closed)
  expect(await neighbour.ask("rooms:1", "echo", 2)).toEqual(ok(2))
})

it("a message that waited for a join and cannot be answered ends its connection after the join's answer", async () => {
  const { faulty, neighbour, timers } = await served()
  faulty.socket.burst([join("rooms:1", { ms: 100 }), heartbeat, join("rooms:2")])
  await faulty.socket.settled()
  timers.advance(100)
  expect([await faulty.next(), await faulty.next()]).toEqual([["1", "1", "rooms:1", "phx_reply", ok()], closed])
  expect(await neighbour.ask("rooms:1", "echo", 3)).toEqual(ok(3))
})
