import { expect, test } from "vitest"
import { deferred } from "../../src/pubsub/deferred.ts"
import { EnginePubSub } from "../../src/pubsub/engine-pubsub.ts"
import { local, LocalBus } from "../../src/pubsub/local.ts"
import type { DropReason, PubSub, PubSubStatus } from "../../src/pubsub/pubsub.ts"
import { pubsubContract, testNode } from "../contracts/pubsub.ts"

let bus = new LocalBus()
const ignore = (): void => undefined
const HANDLERS = { onUnreachable: ignore, onError: ignore }

// Once its engine is connected, a deferred node fulfils the whole contract.
pubsubContract("deferred", {
  async start() {
    bus = new LocalBus()
  },
  async stop() {},
  join: (options) =>
    testNode(async (all) => {
      const engine = local({ ...all, bus })
      const node = deferred(engine.node, Promise.resolve(engine), HANDLERS)
      await node.subscribe("ready", ignore).then((undo) => undo())
      return node
    }, options),
})

/** A deferred node, functions that make its engine connect or fail, and everything that its handlers receive. */
function deferredNode() {
  let connect!: (engine: PubSub) => void
  let fail!: (error: unknown) => void
  const connecting = new Promise<PubSub>((resolve, reject) => {
    connect = resolve
    fail = reject
  })
  const unreachable: unknown[] = []
  const errors: unknown[] = []
  const node = deferred("one", connecting, {
    onUnreachable: (error) => void unreachable.push(error),
    onError: (error) => void errors.push(error),
  })
  const statuses: PubSubStatus[] = []
  const drops: DropReason[] = []
  node.onStatus((status) => void statuses.push(status))
  node.onDrop?.((reason) => void drops.push(reason))
  return { node, connect, fail, unreachable, errors, statuses, drops }
}

test("is disconnected until its engine connects: messages are dropped and counted, subscriptions wait", async () => {
  const bus = new LocalBus()
  const other = bus.join({ node: "other" })
  const { node, connect, statuses, drops } = deferredNode()
  const received: string[] = []
  await other.subscribe("room", (bytes) => void received.push(`other ${bytes[0]}`))
  const subscribed = node.subscribe("room", (bytes) => void received.push(`one ${bytes[0]}`))
  expect(node.status).toBe("disconnected")
  node.publish("room", Uint8Array.of(1))
  node.send("other", "room", Uint8Array.of(1))
  expect(drops).toEqual(["offline", "offline"])
  connect(bus.join({ node: "one" }))
  await subscribed
  expect([node.node, node.status, statuses]).toEqual(["one", "connected", ["connected"]])
  node.publish("room", Uint8Array.of(2))
  other.publish("room", Uint8Array.of(3))
  await Promise.resolve()
  expect(received).toEqual(["other 2", "one 3"])
  expect(drops).toEqual(["offline", "offline"])
})

test("closes, and passes the reason to onUnreachable, when its engine cannot be reached", async () => {
  const { node, fail, unreachable, errors, statuses, drops } = deferredNode()
  const broken = new Error("no primary")
  fail(broken)
  await expect(node.subscribe("room", ignore)).rejects.toBe(broken)
  expect([node.status, statuses, unreachable, errors]).toEqual(["closed", ["closed"], [broken], []])
  // Each message that is sent now counts as dropped. It is no error of its own.
  node.publish("room", new Uint8Array())
  node.send("two", "room", new Uint8Array())
  expect([drops, unreachable]).toEqual([["offline", "offline"], [broken]])
  await node.close()
  expect(statuses).toEqual(["closed"])
})

test("closes the engine that connects after its own close", async () => {
  const { node, connect, statuses } = deferredNode()
  const closed = node.close()
  expect([node.status, statuses]).toEqual(["closed", ["closed"]])
  const engine = local()
  connect(engine)
  await closed
  expect([engine.status, statuses]).toEqual(["closed", ["closed"]])
})

test("throws `closed` for calls after a close, even if its engine never connected", async () => {
  const { node, fail, unreachable } = deferredNode()
  const closed = node.close()
  expect(() => node.publish("room", new Uint8Array())).toThrow(expect.objectContaining({ code: "closed" }))
  expect(() => node.send("two", "room", new Uint8Array())).toThrow(expect.objectContaining({ code: "closed" }))
  await expect(node.subscribe("room", ignore)).rejects.toMatchObject({ code: "closed" })
  fail(new Error("no primary"))
  await closed
  expect(unreachable).toEqual([])
})

test("rejects a subscription that waits for the engine when the node is closed", async () => {
  const { node, connect } = deferredNode()
  const subscribed = expect(node.subscribe("room", ignore)).rejects.toMatchObject({ code: "closed" })
  const closed = node.close()
  connect(local())
  await closed
  await subscribed
})

test("rejects with `subscribe_refused` the subscriptions that its engine refuses", async () => {
  const { node, connect } = deferredNode()
  const refuse = (): Promise<never> => Promise.reject(new Error("no permission"))
  const nothing = async (): Promise<void> => {}
  connect(
    new EnginePubSub({}, { subscribe: refuse, unsubscribe: nothing, publish: nothing, send: nothing, close: nothing }),
  )
  await expect(node.subscribe("room", ignore)).rejects.toMatchObject({ code: "subscribe_refused" })
})

test("reports each listener that throws once to onError, not to onUnreachable, and calls the other listeners", async () => {
  const { node, connect, unreachable, errors, statuses, drops } = deferredNode()
  const downs: string[] = []
  const failing = (event: string) => () => {
    throw new Error(event)
  }
  node.onStatus(failing("status"))
  node.onDrop?.(failing("drop"))
  node.onNodeDown?.(failing("down"))
  node.onNodeDown?.((name) => void downs.push(name))
  const lateStatuses: PubSubStatus[] = []
  node.onStatus((status) => void lateStatuses.push(status))
  let emitDown!: (name: string) => void
  const engine = Object.assign(local(), {
    onNodeDown(listener: (name: string) => void) {
      emitDown = listener
      return ignore
    },
  })
  connect(engine)
  await node.subscribe("room", ignore)
  emitDown("two")
  node.send(engine.node, "room", new Uint8Array())
  expect(errors.map(String)).toEqual(["Error: status", "Error: down", "Error: drop"])
  expect([statuses, lateStatuses, downs, drops]).toEqual([["connected"], ["connected"], ["two"], ["echo"]])
  expect(unreachable).toEqual([])
})
