import { expect, test } from "vitest"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { ALLOWED, PATIENT, pubsubContract, testNode } from "../contracts/pubsub.ts"
import { redisServer } from "../support/engine.js"
import { redisClient } from "../support/redis-client.ts"

const server = await redisServer()
const url = `redis://127.0.0.1:${server.port}`

/** Starts the server again with the restricted user, which it keeps in memory only. */
async function start(): Promise<void> {
  await server.start()
  const { node, topic } = subjectNames("rollcall")
  const channels = [node(ALLOWED.node), topic(ALLOWED.topic)].map((channel) => `&${channel}`)
  const admin = await redisClient(url)
  await admin.sendCommand(["ACL", "SETUSER", "guest", "on", ">secret", "+@all", "resetchannels", ...channels])
  await admin.close()
}

pubsubContract("redis", {
  start,
  stop: () => server.kill(),
  join: (options) => testNode((all) => redis({ ...PATIENT, ...all, url }), options),
  async inject(namespace, topic, bytes) {
    const client = await redisClient(url)
    await client.publish(subjectNames(namespace).topic(topic), Buffer.from(bytes))
    await client.close()
  },
  outage: { kill: () => server.kill(), restart: start },
  joinRestricted: (options) =>
    testNode((all) => redis({ ...PATIENT, ...all, url: `redis://guest:secret@127.0.0.1:${server.port}` }), options),
})

test("rejects with `engine_unreachable` when no server answers, and keeps the password out of the message", async () => {
  const stopped = await redisServer()
  const attempt = redis(`redis://me:secret@127.0.0.1:${stopped.port}`)
  await expect(attempt).rejects.toMatchObject({ code: "engine_unreachable" })
  await expect(attempt).rejects.not.toThrow(/secret/)
})
