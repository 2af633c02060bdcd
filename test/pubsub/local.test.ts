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

test("is alone by default, under a name of its own", async () => {
  const [a, b] = [local(), local()]
  expect(a.node).not.toBe(b.node)
  expect(a.status).toBe("connected")
  const heard: string[] = []
  await b.subscribe("room", (_, from) => void heard.push(from))
  a.publish("room", new Uint8Array())
  await Promise.resolve()
  expect(heard).toEqual([])
})

test("does not deliver before the publisher is done with its turn", async () => {
  const bus = new LocalBus()
  const [a, b] = [local({ bus }), local({ bus })]
  const seen: string[] = []
  await b.subscribe("room", () => void seen.push("delivered"))
  a.publish("room", new Uint8Array())
  seen.push("published")
  await Promise.resolve()
  expect(seen).toEqual(["published", "delivered"])
})

test("gives each node bytes of its own, so that none can spoil another's", async () => {
  const bus = new LocalBus()
  const [a, b, c] = [local({ bus }), local({ bus }), local({ bus })]
  const heard: number[] = []
  for (const node of [b, c]) {
    await node.subscribe("room", (bytes) => {
      heard.push(bytes[0]!)
      bytes[0] = 0
    })
  }
  a.publish("room", Uint8Array.of(7))
  await Promise.resolve()
  expect(heard).toEqual([7, 7])
})

test("refuses a second node of one name, and names that cannot be", () => {
  const bus = new LocalBus()
  local({ bus, node: "a" })
  expect(() => local({ bus, node: "a" })).toThrow(expect.objectContaining({ code: "node_taken" }))
  expect(() => local({ node: "" })).toThrow(expect.objectContaining({ code: "config" }))
  expect(() => local({ maxBufferedBytes: Number.NaN })).toThrow(expect.objectContaining({ code: "config" }))
  expect(() => local({ namespace: "x".repeat(256) })).toThrow(expect.objectContaining({ code: "config" }))
})
