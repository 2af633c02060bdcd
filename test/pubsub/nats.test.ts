import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "@nats-io/transport-node"
import { expect, onTestFinished, test } from "vitest"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { nats } from "../../src/pubsub/nats.ts"
import { pubsubContract, testNode } from "../contracts/pubsub.ts"
import { natsServer } from "../support/engine.js"

const server = await natsServer()
const url = `nats://127.0.0.1:${server.port}`

pubsubContract("nats", {
  start: () => server.start(),
  stop: () => server.kill(),
  join: (options) => testNode((all) => nats({ ...all, url }), options),
  async inject(namespace, topic, bytes) {
    const connection = await connect({ servers: url })
    connection.publish(subjectNames(namespace).topic(topic), bytes)
    await connection.drain()
  },
  outage: { kill: () => server.kill(), restart: () => server.start() },
})

test("says at once that nobody answers", async () => {
  const nobody = await natsServer()
  await expect(nats(`nats://127.0.0.1:${nobody.port}`)).rejects.toMatchObject({ code: "engine_unreachable" })
})

test("rejects a subscription that the server does not allow, and goes on with those that it does", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-"))
  const config = join(folder, "nats.conf")
  const allowed = '["rollcall-rollcall.n-a", "rollcall-rollcall.t-allowed"]'
  await writeFile(config, `authorization { users: [{ user: g, password: s, permissions: { subscribe: ${allowed} } }] }`)
  const strict = await natsServer(["--config", config])
  onTestFinished(async () => {
    await strict.kill()
    await rm(folder, { recursive: true })
  })
  await strict.start()
  const node = await nats({ url: `nats://g:s@127.0.0.1:${strict.port}`, node: "a" })
  await expect(node.subscribe("room", () => {})).rejects.toMatchObject({ code: "subscribe_refused" })
  const undo = await node.subscribe("allowed", () => {})
  undo()
  await node.close()
})
