import { expect, test } from "vitest"
import { local, LocalBus } from "../../src/pubsub/local.ts"
import { pubsubContract, testNode } from "../contracts/pubsub.ts"

let bus = new LocalBus()

pubsubContract("local", {
  async start() {
    bus = new LocalBus()
  },
  async stop() {},
  join: (options) => testNode((all) => local({ ...all, bus }), options),
})

test("a node without a shared bus is alone, and has a random name", async () => {
  const [a, b] = [local(), local()]
  expect(a.node).not.toBe(b.node)
  expect(a.status).toBe("connected")
  const received: string[] = []
  await b.subscribe("room", (_, from) => void received.push(from))
  a.publish("room", new Uint8Array())
  await Promise.resolve()
  expect(received).toEqual([])
})

test("delivers in a microtask, after the code that publishes", async () => {
  const bus = new LocalBus()
  const [a, b] = [local({ bus }), local({ bus })]
  const events: string[] = []
  await b.subscribe("room", () => void events.push("delivered"))
  a.publish("room", new Uint8Array())
  events.push("published")
  await Promise.resolve()
  expect(events).toEqual(["published", "delivered"])
})

test("gives each node a copy of the bytes, so that a receiver that writes to them changes no other", async () => {
  const bus = new LocalBus()
  const [a, b, c] = [local({ bus }), local({ bus }), local({ bus })]
  const received: number[] = []
  for (const node of [b, c]) {
    await node.subscribe("room", (bytes) => {
      received.push(bytes[0]!)
      bytes[0] = 0
    })
  }
  a.publish("room", Uint8Array.of(7))
  await Promise.resolve()
  expect(received).toEqual([7, 7])
})

test("rejects a node name that is taken, names of an invalid length, and an invalid buffer limit", () => {
  const bus = new LocalBus()
  local({ bus, node: "a" })
  expect(() => local({ bus, node: "a" })).toThrow(expect.objectContaining({ code: "node_taken" }))
  expect(() => local({ node: "" })).toThrow(expect.objectContaining({ code: "config" }))
  expect(() => local({ maxBufferedBytes: Number.NaN })).toThrow(expect.objectContaining({ code: "config" }))
  expect(() => local({ namespace: "x".repeat(256) })).toThrow(expect.objectContaining({ code: "config" }))
})
