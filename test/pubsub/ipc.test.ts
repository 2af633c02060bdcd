import { execFile, type ChildProcess } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, describe, expect, test } from "vitest"
import { relay } from "../../src/pubsub/ipc-relay.ts"
import type { DropReason } from "../../src/pubsub/pubsub.ts"
import { PATIENT, pubsubContract } from "../contracts/pubsub.ts"
import { forkWorker, ipcNode, type IpcNode } from "../support/ipc-node.ts"
import { until } from "../support/until.ts"

for (const serialization of ["advanced", "json"] as const) {
  // Three processes for all tests, since forking takes longer than any of them.
  const workers: ChildProcess[] = []
  let joins = 0
  pubsubContract(`ipc (${serialization})`, {
    async start() {
      const served = relay()
      for (let i = 0; i < 3; i += 1) workers.push(forkWorker(serialization))
      for (const worker of workers) served.add(worker)
    },
    async stop() {
      for (const worker of workers) worker.kill("SIGKILL")
    },
    join: (options) => ipcNode(workers[(joins += 1) % 3]!, { ...PATIENT, ...options }),
  })
}

describe("ipc", () => {
  const drops: DropReason[] = []
  const forked: ChildProcess[] = []
  const served = relay(undefined, { maxBufferedBytes: 1_000_000, onDrop: (reason) => void drops.push(reason) })
  afterEach(() => {
    for (const worker of forked.splice(0)) worker.kill("SIGKILL")
    drops.length = 0
  })
  const startWorker = (): ChildProcess => {
    const child = forkWorker("advanced")
    forked.push(child)
    served.add(child)
    return child
  }
  const startA = (): Promise<IpcNode> => ipcNode(startWorker(), { node: "a" })

  test("notifies the other nodes at once when a worker process dies, and frees its name", async () => {
    const a = await startA()
    const b = await ipcNode(startWorker(), { node: "b" })
    await b.subscribe("room", () => {})
    await b.kill()
    await until(() => a.downs.length === 1)
    expect(a.downs).toEqual(["b"])
    const received: string[] = []
    const again = await ipcNode(startWorker(), { node: "b" })
    await again.subscribe("room", (_, from) => void received.push(from))
    await a.publish("room", new Uint8Array())
    await until(() => received.length === 1)
    expect(drops).toEqual([])
  })

  test("notifies the other nodes when a node closes", async () => {
    const a = await startA()
    const b = await ipcNode(startWorker(), { node: "b" })
    await b.close()
    await until(() => a.downs.length === 1)
    expect(a.downs).toEqual(["b"])
  })

  test("rejects with `node_taken` when another worker uses the name", async () => {
    await startA()
    await expect(startA()).rejects.toMatchObject({ code: "node_taken" })
  })

  test("rejects with `no_relay` when the primary does not answer in time", async () => {
    const child = forkWorker("advanced")
    forked.push(child)
    await expect(ipcNode(child, { timeoutMs: 1 })).rejects.toMatchObject({ code: "no_relay" })
  })

  test("counts malformed messages and other versions, and ignores messages that are not Rollcall's", async () => {
    const a = await startA()
    for (const message of [["hello", "rollcall"], ["listen", 7], ["message", "a", "room", 1], ["__proto__"], []]) {
      a.worker.send(["rollcall", 1, 1, ...message])
    }
    a.worker.send(["rollcall", 2, 1, "message", "a", "room", new Uint8Array()])
    for (const other of [null, "hello", 7, {}, [], ["other", 1]]) a.worker.send(other as object)
    await until(() => a.drops.length === 6)
    expect(a.drops).toEqual([...Array.from({ length: 5 }, () => "garbage"), "version"])
    expect(a.errors).toEqual([])
  })

  test("drops messages for a worker that has stopped reading, beyond maxBufferedBytes in the primary", async () => {
    const a = await startA()
    const b = await ipcNode(startWorker(), { node: "b" })
    const received: number[] = []
    await b.subscribe("room", (bytes) => void received.push(bytes.length))
    b.worker.kill("SIGSTOP")
    for (let i = 0; i < 100; i += 1) await a.publish("room", new Uint8Array(100_000))
    await until(() => drops.length > 0)
    b.worker.kill("SIGCONT")
    await until(() => received.length + drops.length === 100)
    expect(new Set(drops)).toEqual(new Set(["overflow"]))
  })

  test("is disconnected while the primary does not answer, as when it is suspended, and connected again afterwards", async () => {
    const child = forkWorker("advanced")
    forked.push(child)
    let isSuspended = false
    const held: (() => void)[] = []
    served.add({
      send: (message, callback) => child.send(message as object, undefined, undefined, callback),
      on: (event: string, listener: (message: unknown) => void) =>
        child.on(event as "message", (message: unknown) => {
          if (isSuspended) held.push(() => listener(message))
          else listener(message)
        }),
    })
    const a = await ipcNode(child, { node: "a", pingIntervalMs: 20, pingTimeoutMs: 1_000 })
    const b = await ipcNode(startWorker(), { node: "b" })
    const received: string[] = []
    await a.subscribe("room", (bytes) => void received.push(Buffer.from(bytes).toString()))
    // The node watches the primary once it has answered a ping; the answer to this call comes after it.
    await a.publish("room", new Uint8Array())
    isSuspended = true
    await until(() => a.statuses.at(-1) === "disconnected" && a.errors.length > 0)
    expect(a.errors.at(-1)).toContain("expected the primary process to answer a ping within 1000 ms, got no answer")
    isSuspended = false
    for (const arrive of held) arrive()
    await until(() => a.statuses.at(-1) === "connected")
    // Again and again: if this process stood still for a second, the node would be disconnected once more.
    await until(async () => {
      await b.publish("room", Buffer.from("hello"))
      return received.length > 0
    })
    expect(received[0]).toBe("hello")
  })

  test("relays between the workers of node:cluster, forked before or after the call of relay()", async () => {
    const script = join(import.meta.dirname, "../support/ipc-cluster.js")
    const { stdout } = await promisify(execFile)(process.execPath, [script])
    expect(JSON.parse(stdout)).toEqual(["publisher: hello", "publisher is down"])
  })

  test("treats a failed write as a lost primary, not as a refused subscription", async () => {
    const script = join(import.meta.dirname, "../support/ipc-broken-channel.js")
    const { stdout } = await promisify(execFile)(process.execPath, [script])
    expect(JSON.parse(stdout)).toEqual({ status: "disconnected", drops: ["offline"], subscription: "closed" })
  })
})
