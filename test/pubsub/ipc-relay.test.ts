import { EventEmitter } from "node:events"
import { expect, onTestFinished, test, vi } from "vitest"
import { relay } from "../../src/pubsub/ipc-relay.ts"
import type { WorkerProcess } from "../../src/pubsub/ipc-relay.ts"

/** A worker process that records the messages that it receives. */
function fakeWorker(): EventEmitter & WorkerProcess & { readonly received: unknown[][] } {
  const received: unknown[][] = []
  const send = (message: unknown, callback?: (error: null) => void): boolean => {
    received.push((message as unknown[]).slice(3))
    callback?.(null)
    return true
  }
  return Object.assign(new EventEmitter(), { received, send })
}

/** Emits a message as if the worker had sent it from its node with that number. */
const send = (worker: EventEmitter, id: unknown, ...message: unknown[]): boolean =>
  worker.emit("message", ["rollcall", 1, id, ...message])

test("two calls of relay() for one cluster return one relay, which delivers each message once", () => {
  const cluster = new EventEmitter()
  expect(relay(cluster)).toBe(relay(cluster))
  const [a, b] = [fakeWorker(), fakeWorker()]
  for (const worker of [a, b]) cluster.emit("fork", worker)
  send(a, 1, "hello", "rollcall", "a", new Uint8Array(1))
  send(b, 1, "hello", "rollcall", "b", new Uint8Array(1))
  send(b, 1, "listen", "t")
  send(a, 1, "publish", "t", new Uint8Array([7]))
  expect(b.received.filter(([kind]) => kind === "message")).toEqual([["message", "a", "t", new Uint8Array([7])]])
})

test("a message whose node number is not a number is dropped and counted", () => {
  const drops: string[] = []
  const worker = fakeWorker()
  relay(undefined, { onDrop: (reason) => void drops.push(reason) }).add(worker)
  const invalid = [JSON.parse('{"valueOf":1,"toString":1}'), "1", null, undefined]
  for (const id of invalid) send(worker, id, "hello", "rollcall", "a", new Uint8Array(1))
  expect([drops, worker.received]).toEqual([invalid.map(() => "garbage"), []])
})

test("an onDrop that throws surfaces as an uncaught exception, and stops no delivery to other workers", () => {
  const tasks: (() => void)[] = []
  onTestFinished(() => void vi.restoreAllMocks())
  vi.spyOn(globalThis, "queueMicrotask").mockImplementation((task) => void tasks.push(task))
  const served = relay(undefined, {
    maxBufferedBytes: 100,
    onDrop(reason) {
      throw new Error(`cannot count ${reason}`)
    },
  })
  const [a, slow, b] = [fakeWorker(), fakeWorker(), fakeWorker()]
  // This worker never confirms that a message has left.
  slow.send = () => true
  for (const [i, worker] of [a, slow, b].entries()) {
    served.add(worker)
    send(worker, 1, "hello", "rollcall", `node${i}`, new Uint8Array(1))
    send(worker, 1, "listen", "t")
  }
  for (let i = 0; i < 2; i += 1) send(a, 1, "publish", "t", new Uint8Array(100))
  expect(b.received.filter(([kind]) => kind === "message").length).toBe(2)
  expect(tasks.length).toBe(1)
  expect(tasks[0]).toThrow("cannot count overflow")
})
