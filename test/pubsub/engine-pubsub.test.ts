import { expect, test, vi } from "vitest"
import { EnginePubSub } from "../../src/pubsub/engine-pubsub.ts"
import type { Engine } from "../../src/pubsub/engine.ts"
import type { DropReason } from "../../src/pubsub/pubsub.ts"

/** Resolves once all pending promise callbacks have run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const throwing = (): never => {
  throw new Error("failed")
}

/** A node whose engine logs each call, and settles the oldest open call when the test calls `answer`. */
function scripted(options: { maxBufferedBytes?: number } = {}): {
  pubsub: EnginePubSub
  log: string[]
  drops: DropReason[]
  errors: unknown[]
  answer(error?: Error): Promise<void>
} {
  const log: string[] = []
  const drops: DropReason[] = []
  const errors: unknown[] = []
  const pending: ((error?: Error) => void)[] = []
  const logged = (call: string): Promise<void> => {
    log.push(call)
    return new Promise((resolve, reject) => pending.push((error) => (error ? reject(error) : resolve())))
  }
  const engine: Engine = {
    subscribe: (topic) => logged(`subscribe ${topic}`),
    unsubscribe: (topic) => logged(`unsubscribe ${topic}`),
    publish: (topic, bytes) => logged(`publish ${topic} ${bytes.length}`),
    send: (node, topic, bytes) => logged(`send ${node} ${topic} ${bytes.length}`),
    close: async () => void log.push("close"),
  }
  const pubsub = new EnginePubSub(
    { ...options, node: "me", onDrop: (r) => void drops.push(r), onError: (e) => void errors.push(e) },
    engine,
  )
  const answer = async (error?: Error): Promise<void> => {
    pending.shift()!(error)
    await settled()
  }
  return { pubsub, log, drops, errors, answer }
}

test("calls each drop listener with the reason, until it is removed", () => {
  const { pubsub, drops } = scripted()
  const received: DropReason[] = []
  pubsub.onDrop(throwing)
  const undo = pubsub.onDrop((reason) => void received.push(reason))
  pubsub.send("me", "t", new Uint8Array())
  undo()
  pubsub.deliver("you", "t", new Uint8Array())
  expect([drops, received]).toEqual([["echo", "unwanted"], ["echo"]])
})

test("a listener that is added twice is called twice, and each call of a returned function removes it once", () => {
  const { pubsub } = scripted()
  const received: string[] = []
  const listener = (event: string): void => void received.push(event)
  const undos = [pubsub.onDrop(listener), pubsub.onDrop(listener), pubsub.onStatus(listener)]
  pubsub.onStatus(listener)
  pubsub.send("me", "t", new Uint8Array())
  pubsub.setStatus("disconnected")
  for (const undo of [undos[0]!, undos[0]!, undos[2]!, undos[2]!]) undo()
  pubsub.deliver("me", "t", new Uint8Array())
  pubsub.setStatus("connected")
  expect(received).toEqual(["echo", "echo", "disconnected", "disconnected", "echo", "connected"])
})

test("subscribes at the engine once for each topic, and unsubscribes after the last subscriber has unsubscribed", async () => {
  const { pubsub, log, answer } = scripted()
  const both = Promise.all([pubsub.subscribe("t", () => {}), pubsub.subscribe("t", () => {})])
  await answer()
  const [first, second] = await both
  await pubsub.subscribe("t", () => {}).then((undo) => undo())
  first()
  first()
  expect(log).toEqual(["subscribe t"])
  second()
  expect(log).toEqual(["subscribe t", "unsubscribe t"])
})

test("does not confirm a subscription with an engine subscription that is just ending", async () => {
  const { pubsub, log, answer } = scripted()
  const subscribed = pubsub.subscribe("t", () => {})
  await answer()
  const undo = await subscribed
  undo()
  let confirmed = false
  const again = pubsub.subscribe("t", () => {}).then(() => (confirmed = true))
  await answer()
  expect([confirmed, log]).toEqual([false, ["subscribe t", "unsubscribe t", "subscribe t"]])
  await answer()
  await again
})

test("makes no call to the engine when a topic is unsubscribed and subscribed again while disconnected", async () => {
  const { pubsub, log, answer } = scripted()
  const subscribed = pubsub.subscribe("t", () => {})
  await answer()
  const undo = await subscribed
  pubsub.setStatus("disconnected")
  undo()
  const again = pubsub.subscribe("t", () => {})
  pubsub.setStatus("connected")
  await again
  expect(log).toEqual(["subscribe t"])
})

test("rejects all waiting subscriptions when the engine refuses, and asks again for a later one", async () => {
  const { pubsub, log, answer, errors } = scripted()
  const waiting = [pubsub.subscribe("t", () => {}), pubsub.subscribe("t", () => {})]
  const outcome = Promise.allSettled(waiting)
  await answer(new Error("no permission"))
  for (const each of await outcome) {
    expect(each).toMatchObject({ status: "rejected", reason: { code: "subscribe_refused" } })
  }
  const later = pubsub.subscribe("t", () => {})
  await answer()
  await later
  expect(log).toEqual(["subscribe t", "subscribe t"])
  expect(errors).toEqual([])
})

test("keeps no state of a topic that the engine refuses", async () => {
  // The first map that is written to is the one of the topics.
  const kept: Map<unknown, unknown>[] = []
  const set = vi.spyOn(Map.prototype, "set").mockImplementation(function (this: Map<unknown, unknown>, key, value) {
    set.mockRestore()
    kept.push(this)
    return this.set(key, value)
  })
  const { pubsub, answer } = scripted()
  const refused = expect(pubsub.subscribe("t", () => {})).rejects.toMatchObject({ code: "subscribe_refused" })
  await answer(new Error("no permission"))
  await refused
  expect(kept.map((topics) => topics.size)).toEqual([0])
})

test("repeats a subscribe that failed because the connection was lost", async () => {
  const { pubsub, log, answer } = scripted()
  const subscribed = pubsub.subscribe("t", () => {})
  pubsub.setStatus("disconnected")
  await answer(new Error("connection lost"))
  expect(log).toEqual(["subscribe t"])
  pubsub.setStatus("connected")
  await settled()
  await answer()
  await subscribed
  expect(log).toEqual(["subscribe t", "subscribe t"])
})

test("repeats a failed subscribe even if the node has reconnected before the failure arrives", async () => {
  const { pubsub, log, answer } = scripted()
  const subscribed = pubsub.subscribe("t", () => {})
  pubsub.setStatus("disconnected")
  pubsub.setStatus("connected")
  await answer(new Error("connection lost"))
  await answer()
  await subscribed
  expect(log).toEqual(["subscribe t", "subscribe t"])
})

test("drops messages beyond maxBufferedBytes, and accepts more once some have left", async () => {
  const { pubsub, log, drops, answer } = scripted({ maxBufferedBytes: 1000 })
  for (let i = 0; i < 5; i += 1) pubsub.publish("t", new Uint8Array(600))
  expect(log.length).toBe(2)
  expect(drops).toEqual(["overflow", "overflow", "overflow"])
  await answer()
  pubsub.send("you", "t", new Uint8Array(600))
  expect(log.at(-1)).toBe("send you t 600")
})

test("counts empty messages against maxBufferedBytes too, since each of them takes memory", () => {
  const { pubsub, log } = scripted({ maxBufferedBytes: 6400 })
  for (let i = 0; i < 1000; i += 1) pubsub.publish("t", new Uint8Array())
  // 64 bytes are counted for each: the message that exceeds the limit is the last one.
  expect(log.length).toBe(101)
})

test("counts a message as offline if the connection was lost before the message had left", async () => {
  const { pubsub, drops, answer } = scripted()
  pubsub.publish("t", new Uint8Array())
  await answer(new Error("connection lost"))
  expect(drops).toEqual(["offline"])
})

test("closes the engine after all published messages have left, and rejects waiting subscriptions", async () => {
  const { pubsub, log, answer } = scripted()
  pubsub.publish("t", new Uint8Array())
  const waiting = expect(pubsub.subscribe("t", () => {})).rejects.toMatchObject({ code: "closed" })
  const closed = pubsub.close()
  await waiting
  expect(log).not.toContain("close")
  await answer()
  await closed
  expect(log.at(-1)).toBe("close")
})

test("delivers a message to the subscriptions that existed when it arrived, unless one has been ended meanwhile", async () => {
  const { pubsub, answer, drops } = scripted()
  const received: string[] = []
  const first = pubsub.subscribe("t", () => {
    received.push("first")
    undoSecond()
    void pubsub.subscribe("t", () => void received.push("late"))
  })
  const second = pubsub.subscribe("t", () => void received.push("second"))
  await answer()
  await first
  const undoSecond = await second
  pubsub.deliver("you", "t", new Uint8Array())
  expect(received).toEqual(["first"])
  pubsub.deliver("you", "other", new Uint8Array())
  pubsub.deliver("me", "t", new Uint8Array())
  expect(drops).toEqual(["unwanted", "echo"])
})

test("reports each listener and receiver that throws once, and calls the others", async () => {
  const { pubsub, errors, answer } = scripted()
  const received: string[] = []
  const failing = (event: string) => () => {
    throw new Error(event)
  }
  pubsub.onStatus(failing("status"))
  pubsub.onStatus((status) => void received.push(status))
  pubsub.onDrop(failing("drop"))
  pubsub.onDrop((reason) => void received.push(reason))
  const subscribed = [
    pubsub.subscribe("t", failing("receiver")),
    pubsub.subscribe("t", () => void received.push("message")),
  ]
  await answer()
  await Promise.all(subscribed)
  pubsub.setStatus("disconnected")
  pubsub.deliver("me", "t", new Uint8Array())
  pubsub.deliver("you", "t", new Uint8Array())
  expect(errors.map(String)).toEqual(["Error: status", "Error: drop", "Error: receiver"])
  expect(received).toEqual(["disconnected", "echo", "message"])
})

test("an onError that throws stops neither the other listeners nor the call", async () => {
  const engine = {
    subscribe: async () => {},
    unsubscribe: async () => {},
    publish: throwing,
    send: throwing,
    close: async () => {},
  }
  const pubsub = new EnginePubSub({ onDrop: throwing, onError: throwing }, engine)
  const seen: string[] = []
  pubsub.onStatus(throwing)
  const undo = pubsub.onStatus((status) => void seen.push(status))
  pubsub.setStatus("disconnected")
  pubsub.setStatus("disconnected")
  pubsub.publish("t", new Uint8Array())
  undo()
  await pubsub.close()
  expect(seen).toEqual(["disconnected"])
})
