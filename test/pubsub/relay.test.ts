import { EventEmitter } from "node:events"
import { expect, test } from "vitest"
import { relay } from "../../src/pubsub/relay.ts"
import type { WorkerProcess } from "../../src/pubsub/relay.ts"

/** A worker process, with what it is told. */
function workerOf(): EventEmitter & WorkerProcess & { readonly told: unknown[][] } {
  const told: unknown[][] = []
  const send = (message: unknown, callback?: (error: null) => void): boolean => {
    told.push((message as unknown[]).slice(3))
    callback?.(null)
    return true
  }
  return Object.assign(new EventEmitter(), { told, send })
}

const say = (worker: EventEmitter, id: unknown, ...said: unknown[]): boolean =>
  worker.emit("message", ["rollcall", 1, id, ...said])

test("a cluster that is relayed twice passes on each message once", () => {
  const cluster = new EventEmitter()
  expect(relay(cluster)).toBe(relay(cluster))
  const [a, b] = [workerOf(), workerOf()]
  for (const worker of [a, b]) cluster.emit("fork", worker)
  say(a, 1, "hello", "rollcall", "a", new Uint8Array(1))
  say(b, 1, "hello", "rollcall", "b", new Uint8Array(1))
  say(b, 1, "listen", "t")
  say(a, 1, "publish", "t", new Uint8Array([7]))
  expect(b.told.filter(([word]) => word === "message")).toEqual([["message", "a", "t", new Uint8Array([7])]])
})

test("a message for a node that has no number is dropped and counted", () => {
  const drops: string[] = []
  const worker = workerOf()
  relay(undefined, { onDrop: (reason) => void drops.push(reason) }).add(worker)
  const strange = [JSON.parse('{"valueOf":1,"toString":1}'), "1", null, undefined]
  for (const id of strange) say(worker, id, "hello", "rollcall", "a", new Uint8Array(1))
  expect([drops, worker.told]).toEqual([strange.map(() => "garbage"), []])
})
