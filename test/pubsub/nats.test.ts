import { connect } from "@nats-io/transport-node"
import { expect, test } from "vitest"
import { channels } from "../../src/pubsub/channel.ts"
import { nats } from "../../src/pubsub/nats.ts"
import { pubsubContract, testNode } from "../contracts/pubsub.ts"
import { natsServer } from "../support/nats-server.ts"

const server = await natsServer()
const url = `nats://127.0.0.1:${server.port}`

pubsubContract("nats", {
  start: () => server.start(),
  stop: () => server.kill(),
  join: (options) => testNode((all) => nats({ ...all, url }), options),
  async inject(namespace, topic, bytes) {
    const connection = await connect({ servers: url })
    connection.publish(channels(namespace).topic(topic), bytes)
    await connection.drain()
  },
  outage: { kill: () => server.kill(), restart: () => server.start() },
})

test("says at once that nobody answers", async () => {
  const nobody = await natsServer()
  await expect(nats(`nats://127.0.0.1:${nobody.port}`)).rejects.toMatchObject({ code: "engine_unreachable" })
})
