import { execFile, type ChildProcess } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { relay } from "../../src/pubsub/relay.ts"
import type { DropReason } from "../../src/pubsub/pubsub.ts"
import { pubsubContract } from "../contracts/pubsub.ts"
import { forkWorker, ipcNode, type IpcNode } from "../support/ipc-node.ts"
import { until } from "../support/until.ts"

for (const serialization of ["advanced", "json"] as const) {
  // Three processes, kept from test to test: forking takes longer than any of the tests.
  const workers: ChildProcess[] = []
  let turn = 0
  pubsubContract(`ipc (${serialization})`, {
    async start() {
      const served = relay()
      for (let i = 0; i < 3; i += 1) workers.push(forkWorker(serialization))
      for (const worker of workers) served.add(worker)
    },
    async stop() {
      for (const worker of workers) worker.kill("SIGKILL")
    },
    join: (options) => ipcNode(workers[(turn += 1) % 3]!, options),
  })
}

describe("ipc", () => {
  const drops: DropReason[] = []
  const forked: ChildProcess[] = []
  let served = relay()
  beforeAll(() => {
    served = relay(undefined, { maxBufferedBytes: 1_000_000, onDrop: (reason) => void drops.push(reason) })
  })
  afterEach(() => {
    for (const worker of forked.splice(0)) worker.kill("SIGKILL")
    drops.length = 0
  })
  afterAll(() => {
    expect(forked).toEqual([])
  })
  const worker = (): ChildProcess => {
    const child = forkWorker("advanced")
    forked.push(child)
    served.add(child)
    return child
  }
  const bystander = (): Promise<IpcNode> => ipcNode(worker(), { node: "bystander" })

  test("tells the others at once of a worker that died, and its name is free again (29)", async () => {
    const a = await bystander()
    const b = await ipcNode(worker(), { node: "b" })
    await b.subscribe("room", () => {})
    await b.kill()
    await until(() => a.downs.length === 1)
    expect(a.downs).toEqual(["b"])
    const heard: string[] = []
    const again = await ipcNode(worker(), { node: "b" })
    await again.subscribe("room", (_, from) => void heard.push(from))
    await a.publish("room", new Uint8Array())
    await until(() => heard.length === 1)
    expect(drops).toEqual([])
  })

  test("tells the others of a node that closed", async () => {
    const a = await bystander()
    const b = await ipcNode(worker(), { node: "b" })
    await b.close()
    await until(() => a.downs.length === 1)
    expect(a.downs).toEqual(["b"])
  })

  test("refuses a second worker of one name", async () => {
    await bystander()
    await expect(bystander()).rejects.toMatchObject({ code: "node_taken" })
  })

  test("says so when the primary does not relay", async () => {
    const child = forkWorker("advanced")
    forked.push(child)
    await expect(ipcNode(child, { timeoutMs: 1 })).rejects.toMatchObject({ code: "no_relay" })
  })

  test("counts nonsense and other versions, and leaves alone what a process says for other ends", async () => {
    const a = await bystander()
    for (const words of [["hello", "rollcall"], ["listen", 7], ["message", "a", "room", 1], ["__proto__"], []]) {
      a.worker.send(["rollcall", 1, 1, ...words])
    }
    a.worker.send(["rollcall", 2, 1, "message", "a", "room", new Uint8Array()])
    for (const other of [null, "hello", 7, {}, [], ["other", 1]]) a.worker.send(other as object)
    await until(() => a.drops.length === 6)
    expect(a.drops).toEqual([...Array.from({ length: 5 }, () => "garbage"), "version"])
    expect(a.errors).toEqual([])
  })

  test("drops what a worker that has stopped reading would pile up in the primary", async () => {
    const a = await bystander()
    const b = await ipcNode(worker(), { node: "b" })
    const heard: number[] = []
    await b.subscribe("room", (bytes) => void heard.push(bytes.length))
    b.worker.kill("SIGSTOP")
    for (let i = 0; i < 100; i += 1) await a.publish("room", new Uint8Array(100_000))
    await until(() => drops.length > 0)
    b.worker.kill("SIGCONT")
    await until(() => heard.length + drops.length === 100)
    expect(new Set(drops)).toEqual(new Set(["overflow"]))
  })

  test("relays between the workers of node:cluster, forked before or after", async () => {
    const script = join(import.meta.dirname, "../support/ipc-cluster.js")
    const { stdout } = await promisify(execFile)(process.execPath, [script])
    expect(JSON.parse(stdout)).toEqual(["speaker: hello", "speaker is down"])
  })
})
