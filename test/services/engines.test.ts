import { nats } from "../../src/pubsub/nats.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { PATIENT } from "../contracts/pubsub.ts"
import { servicesContract } from "../contracts/services.ts"
import { natsServer, redisServer } from "../support/engine.js"
import { workerBus } from "./worker-bus.ts"

const [redisEngine, natsEngine] = [await redisServer(), await natsServer()]

servicesContract("over Redis", {
  start: () => redisEngine.start(),
  stop: () => redisEngine.kill(),
  join: (node) => redis({ ...PATIENT, url: redisEngine.url, node }),
})
servicesContract("over NATS", {
  start: () => natsEngine.start(),
  stop: () => natsEngine.kill(),
  join: (node) => nats({ ...PATIENT, url: natsEngine.url, node }),
})

servicesContract("between worker processes", workerBus(["caller", "host"], PATIENT))
