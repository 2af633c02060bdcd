import { local, LocalBus } from "../../src/pubsub/index.ts"
import { nats } from "../../src/pubsub/nats.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { placementContract } from "../contracts/placement.ts"
import { PATIENT } from "../contracts/pubsub.ts"
import { natsServer, redisServer } from "../support/engine.js"
import { workerBus } from "./worker-bus.ts"

const [redisEngine, natsEngine] = [await redisServer(), await natsServer()]

let bus = new LocalBus()
placementContract("in one process", {
  async start() {
    bus = new LocalBus()
  },
  join: async (node) => local({ bus, node }),
})
placementContract("over Redis", {
  start: () => redisEngine.start(),
  stop: () => redisEngine.kill(),
  join: (node) => redis({ ...PATIENT, url: redisEngine.url, node }),
})
placementContract("over NATS", {
  start: () => natsEngine.start(),
  stop: () => natsEngine.kill(),
  join: (node) => nats({ ...PATIENT, url: natsEngine.url, node }),
})

placementContract("between worker processes", workerBus(["one", "two"], PATIENT))
