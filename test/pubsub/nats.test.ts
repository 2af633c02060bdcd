import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "@nats-io/transport-node"
import { afterAll, expect, test } from "vitest"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { nats } from "../../src/pubsub/nats.ts"
import { ALLOWED, PATIENT, pubsubContract, testNode } from "../contracts/pubsub.ts"
import { natsServer } from "../support/engine.js"

// A connection without credentials may do anything; the guest is the restricted user.
const folder = await mkdtemp(join(tmpdir(), "rollcall-"))
const config = join(folder, "nats.conf")
const { node, topic } = subjectNames("rollcall")
const guest = `{ user: guest, password: secret, permissions: { publish: ">", subscribe: ["${node(ALLOWED.node)}", "${topic(ALLOWED.topic)}"] } }`
await writeFile(config, `authorization { users: [{ user: all, password: "" }, ${guest}] }, no_auth_user: all`)
afterAll(() => rm(folder, { recursive: true }))

const server = await natsServer(["--config", config])
const url = `nats://127.0.0.1:${server.port}`

pubsubContract("nats", {
  start: () => server.start(),
  stop: () => server.kill(),
  join: (options) => testNode((all) => nats({ ...PATIENT, ...all, url }), options),
  async inject(namespace, topic, bytes) {
    const connection = await connect({ servers: url })
    connection.publish(subjectNames(namespace).topic(topic), bytes)
    await connection.drain()
  },
  outage: { kill: () => server.kill(), restart: () => server.start() },
  joinRestricted: (options) =>
    testNode((all) => nats({ ...PATIENT, ...all, url: `nats://guest:secret@127.0.0.1:${server.port}` }), options),
})

test("rejects with `engine_unreachable` when no server answers", async () => {
  const stopped = await natsServer()
  await expect(nats(`nats://127.0.0.1:${stopped.port}`)).rejects.toMatchObject({ code: "engine_unreachable" })
})
