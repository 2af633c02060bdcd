import { createClient } from "redis"
import { expect, onTestFinished, test } from "vitest"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { pubsubContract, testNode } from "../contracts/pubsub.ts"
import { redisServer } from "../support/engine.js"

const server = await redisServer()
const url = `redis://127.0.0.1:${server.port}`

pubsubContract("redis", {
  start: () => server.start(),
  stop: () => server.kill(),
  join: (options) => testNode((all) => redis({ ...all, url }), options),
  async inject(namespace, topic, bytes) {
    const client = await createClient({ url }).connect()
    await client.publish(subjectNames(namespace).topic(topic), Buffer.from(bytes))
    await client.close()
  },
  outage: { kill: () => server.kill(), restart: () => server.start() },
})

test("says at once that nobody answers, without the password", async () => {
  const nobody = await redisServer()
  const attempt = redis(`redis://me:secret@127.0.0.1:${nobody.port}`)
  await expect(attempt).rejects.toMatchObject({ code: "engine_unreachable" })
  await expect(attempt).rejects.not.toThrow(/secret/)
})

test("rejects a subscription that the server does not allow, and goes on with those that it does", async () => {
  const strict = await redisServer()
  onTestFinished(() => strict.kill())
  await strict.start()
  const address = `127.0.0.1:${strict.port}`
  const admin = await createClient({ url: `redis://${address}` }).connect()
  const allowed = ["&rollcall-rollcall.n-a", "&rollcall-rollcall.t-allowed"]
  await admin.sendCommand(["ACL", "SETUSER", "guest", "on", ">secret", "+@all", "resetchannels", ...allowed])
  const node = await redis({ url: `redis://guest:secret@${address}`, node: "a" })
  await expect(node.subscribe("room", () => {})).rejects.toMatchObject({ code: "subscribe_refused" })
  const undo = await node.subscribe("allowed", () => {})
  undo()
  await node.close()
  await admin.close()
})
