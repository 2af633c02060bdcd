import { expect, test } from "vitest"
import { deferred } from "../../src/pubsub/deferred.ts"
import { local, LocalBus } from "../../src/pubsub/local.ts"
import type { PubSub } from "../../src/pubsub/pubsub.ts"
import { pubsubContract, testNode } from "../contracts/pubsub.ts"

let bus = new LocalBus()
const ignore = (): void => undefined

// Once its engine is there, it is that engine.
pubsubContract("late", {
  async start() {
    bus = new LocalBus()
  },
  async stop() {},
  join: (options) =>
    testNode(async (all) => {
      const engine = local({ ...all, bus })
      const node = deferred(engine.node, Promise.resolve(engine), ignore)
      await node.subscribe("ready", ignore).then((undo) => undo())
      return node
    }, options),
})

test("is disconnected until its engine is there; what is published until then is lost, what is subscribed stands", async () => {
  const bus = new LocalBus()
  const other = bus.join({ node: "other" })
  let arrive!: (engine: PubSub) => void
  const node = deferred("one", new Promise((resolve) => (arrive = resolve)), ignore)
  const statuses: string[] = []
  const heard: string[] = []
  node.onStatus((status) => void statuses.push(status))
  await other.subscribe("room", (bytes) => void heard.push(`other ${bytes[0]}`))
  const subscribed = node.subscribe("room", (bytes) => void heard.push(`one ${bytes[0]}`))
  expect(node.status).toBe("disconnected")
  node.publish("room", Uint8Array.of(1))
  arrive(bus.join({ node: "one" }))
  await subscribed
  expect([node.node, node.status, statuses]).toEqual(["one", "connected", ["connected"]])
  node.publish("room", Uint8Array.of(2))
  other.publish("room", Uint8Array.of(3))
  await Promise.resolve()
  expect(heard).toEqual(["other 2", "one 3"])
})

test("is closed, and says why, when its engine cannot be reached", async () => {
  const errors: unknown[] = []
  const broken = new Error("no primary")
  const node = deferred("one", Promise.reject(broken), (error) => void errors.push(error))
  await expect(node.subscribe("room", ignore)).rejects.toBe(broken)
  expect([node.status, errors]).toEqual(["closed", [broken]])
  await node.close()
})

test("closed before its engine is there, it closes the engine when it comes", async () => {
  const engine = local()
  const node = deferred("one", Promise.resolve(engine), ignore)
  await node.close()
  expect([node.status, engine.status]).toEqual(["closed", "closed"])
})
