import { expect, test, vi } from "vitest"
import { EnginePubSub } from "../../src/pubsub/engine-pubsub.ts"
import type { Engine } from "../../src/pubsub/engine.ts"
import type { DropReason } from "../../src/pubsub/pubsub.ts"

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const broken = (): never => {
  throw new Error("broken")
}

/** An engine that answers when the test says so. */
function scripted(options: { maxBufferedBytes?: number } = {}): {
  endpoint: EnginePubSub
  log: string[]
  drops: DropReason[]
  errors: unknown[]
  answer(error?: Error): Promise<void>
} {
  const log: string[] = []
  const drops: DropReason[] = []
  const errors: unknown[] = []
  const pending: ((error?: Error) => void)[] = []
  const ask = (what: string): Promise<void> => {
    log.push(what)
    return new Promise((resolve, reject) => pending.push((error) => (error ? reject(error) : resolve())))
  }
  const engine: Engine = {
    subscribe: (topic) => ask(`subscribe ${topic}`),
    unsubscribe: (topic) => ask(`unsubscribe ${topic}`),
    publish: (topic, bytes) => ask(`publish ${topic} ${bytes.length}`),
    send: (node, topic, bytes) => ask(`send ${node} ${topic} ${bytes.length}`),
    close: async () => void log.push("close"),
  }
  const endpoint = new EnginePubSub(
    { ...options, node: "me", onDrop: (r) => void drops.push(r), onError: (e) => void errors.push(e) },
    engine,
  )
  const answer = async (error?: Error): Promise<void> => {
    pending.shift()!(error)
    await turn()
  }
  return { endpoint, log, drops, errors, answer }
}

test("tells everyone who listens why a message went no further, until the undo", () => {
  const { endpoint, drops } = scripted()
  const heard: DropReason[] = []
  endpoint.onDrop(broken)
  const undo = endpoint.onDrop((reason) => void heard.push(reason))
  endpoint.send("me", "t", new Uint8Array())
  undo()
  endpoint.deliver("you", "t", new Uint8Array())
  expect([drops, heard]).toEqual([["echo", "unwanted"], ["echo"]])
})

test("a function that listens twice is told twice, and each undo ends one of the two", () => {
  const { endpoint } = scripted()
  const heard: string[] = []
  const listener = (told: string): void => void heard.push(told)
  const undos = [endpoint.onDrop(listener), endpoint.onDrop(listener), endpoint.onStatus(listener)]
  endpoint.onStatus(listener)
  endpoint.send("me", "t", new Uint8Array())
  endpoint.setStatus("disconnected")
  for (const undo of [undos[0]!, undos[0]!, undos[2]!, undos[2]!]) undo()
  endpoint.deliver("me", "t", new Uint8Array())
  endpoint.setStatus("connected")
  expect(heard).toEqual(["echo", "echo", "disconnected", "disconnected", "echo", "connected"])
})

test("asks the engine once for a topic, however many listen", async () => {
  const { endpoint, log, answer } = scripted()
  const both = Promise.all([endpoint.subscribe("t", () => {}), endpoint.subscribe("t", () => {})])
  await answer()
  const [first, second] = await both
  await endpoint.subscribe("t", () => {}).then((undo) => undo())
  first()
  first()
  expect(log).toEqual(["subscribe t"])
  second()
  expect(log).toEqual(["subscribe t", "unsubscribe t"])
})

test("does not confirm a subscription by a listening that is just ending", async () => {
  const { endpoint, log, answer } = scripted()
  const subscribed = endpoint.subscribe("t", () => {})
  await answer()
  const undo = await subscribed
  undo()
  let confirmed = false
  const again = endpoint.subscribe("t", () => {}).then(() => (confirmed = true))
  await answer()
  expect([confirmed, log]).toEqual([false, ["subscribe t", "unsubscribe t", "subscribe t"]])
  await answer()
  await again
})

test("asks for nothing when the undo is taken back before the engine was asked", async () => {
  const { endpoint, log, answer } = scripted()
  const subscribed = endpoint.subscribe("t", () => {})
  await answer()
  const undo = await subscribed
  endpoint.setStatus("disconnected")
  undo()
  const again = endpoint.subscribe("t", () => {})
  endpoint.setStatus("connected")
  await again
  expect(log).toEqual(["subscribe t"])
})

test("rejects all who wait when the engine refuses, and asks anew for whoever comes later", async () => {
  const { endpoint, log, answer, errors } = scripted()
  const waiting = [endpoint.subscribe("t", () => {}), endpoint.subscribe("t", () => {})]
  const outcome = Promise.allSettled(waiting)
  await answer(new Error("no permission"))
  for (const each of await outcome) {
    expect(each).toMatchObject({ status: "rejected", reason: { code: "subscribe_refused" } })
  }
  const later = endpoint.subscribe("t", () => {})
  await answer()
  await later
  expect(log).toEqual(["subscribe t", "subscribe t"])
  expect(errors).toEqual([])
})

test("keeps nothing of a topic that the engine refuses", async () => {
  const kept: Map<unknown, unknown>[] = []
  const set = vi.spyOn(Map.prototype, "set").mockImplementation(function (this: Map<unknown, unknown>, key, value) {
    set.mockRestore()
    kept.push(this)
    return this.set(key, value)
  })
  const { endpoint, answer } = scripted()
  const refused = expect(endpoint.subscribe("t", () => {})).rejects.toMatchObject({ code: "subscribe_refused" })
  await answer(new Error("no permission"))
  await refused
  expect(kept.map((topics) => topics.size)).toEqual([0])
})

test("asks again after a connection that broke under the question", async () => {
  const { endpoint, log, answer } = scripted()
  const subscribed = endpoint.subscribe("t", () => {})
  endpoint.setStatus("disconnected")
  await answer(new Error("connection lost"))
  expect(log).toEqual(["subscribe t"])
  endpoint.setStatus("connected")
  await turn()
  await answer()
  await subscribed
  expect(log).toEqual(["subscribe t", "subscribe t"])
})

test("asks again even when the connection is back before the answer says that it broke", async () => {
  const { endpoint, log, answer } = scripted()
  const subscribed = endpoint.subscribe("t", () => {})
  endpoint.setStatus("disconnected")
  endpoint.setStatus("connected")
  await answer(new Error("connection lost"))
  await answer()
  await subscribed
  expect(log).toEqual(["subscribe t", "subscribe t"])
})

test("lets no more wait than it may, and takes more when some has left", async () => {
  const { endpoint, log, drops, answer } = scripted({ maxBufferedBytes: 1000 })
  for (let i = 0; i < 5; i += 1) endpoint.publish("t", new Uint8Array(600))
  expect(log.length).toBe(2)
  expect(drops).toEqual(["overflow", "overflow", "overflow"])
  await answer()
  endpoint.send("you", "t", new Uint8Array(600))
  expect(log.at(-1)).toBe("send you t 600")
})

test("counts empty messages as well: a million of them are not nothing", () => {
  const { endpoint, log } = scripted({ maxBufferedBytes: 6400 })
  for (let i = 0; i < 1000; i += 1) endpoint.publish("t", new Uint8Array())
  expect(log.length).toBeLessThan(110)
})

test("counts what the connection took with it", async () => {
  const { endpoint, drops, answer } = scripted()
  endpoint.publish("t", new Uint8Array())
  await answer(new Error("connection lost"))
  expect(drops).toEqual(["offline"])
})

test("closes after what was published has left, and rejects whoever still waits for the engine", async () => {
  const { endpoint, log, answer } = scripted()
  endpoint.publish("t", new Uint8Array())
  const waiting = expect(endpoint.subscribe("t", () => {})).rejects.toMatchObject({ code: "closed" })
  const closed = endpoint.close()
  await waiting
  expect(log).not.toContain("close")
  await answer()
  await closed
  expect(log.at(-1)).toBe("close")
})

test("delivers to those who listened when the message came, and survives what they do meanwhile", async () => {
  const { endpoint, answer, drops } = scripted()
  const heard: string[] = []
  const first = endpoint.subscribe("t", () => {
    heard.push("first")
    undoSecond()
    void endpoint.subscribe("t", () => void heard.push("late"))
  })
  const second = endpoint.subscribe("t", () => void heard.push("second"))
  await answer()
  await first
  const undoSecond = await second
  endpoint.deliver("you", "t", new Uint8Array())
  expect(heard).toEqual(["first"])
  endpoint.deliver("you", "other", new Uint8Array())
  endpoint.deliver("me", "t", new Uint8Array())
  expect(drops).toEqual(["unwanted", "echo"])
})

test("a reporter, a counter or a status listener that throws is contained", async () => {
  const engine = {
    subscribe: async () => {},
    unsubscribe: async () => {},
    publish: broken,
    send: broken,
    close: async () => {},
  }
  const endpoint = new EnginePubSub({ onDrop: broken, onError: broken }, engine)
  const seen: string[] = []
  endpoint.onStatus(broken)
  const undo = endpoint.onStatus((status) => void seen.push(status))
  endpoint.setStatus("disconnected")
  endpoint.setStatus("disconnected")
  endpoint.publish("t", new Uint8Array())
  undo()
  await endpoint.close()
  expect(seen).toEqual(["disconnected"])
})
