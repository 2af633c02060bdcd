import { afterEach, beforeEach, expect, test } from "vitest"
import { redis } from "../../src/pubsub/redis.ts"
import { redisServer, type Engine } from "../support/engine.js"
import { redisClient } from "../support/redis-client.ts"
import { until } from "../support/until.ts"

let server: Engine
beforeEach(async () => {
  server = await redisServer()
  await server.start()
})
afterEach(() => server.kill())

test("a server that is busy with a script is away until it has ended, and has refused nothing", async () => {
  const [admin, scripter] = await Promise.all([server.url, server.url].map((url) => redisClient(url)))
  await admin!.sendCommand(["CONFIG", "SET", "busy-reply-threshold", "10"])
  const codes: unknown[] = []
  const onError = (error: unknown): void => void codes.push((error as { code?: unknown }).code)
  const pubsub = await redis({ url: server.url, pingIntervalMs: 50, onError })
  const script = scripter!.sendCommand(["EVAL", "while true do end", "0"]).catch(() => undefined)
  await until(() => pubsub.status === "disconnected")
  const subscribed = pubsub.subscribe("room", () => undefined)
  await until(() => pubsub.problem?.startsWith("BUSY") === true)
  await admin!.sendCommand(["SCRIPT", "KILL"])
  await script
  await subscribed
  expect(pubsub.status).toBe("connected")
  expect(codes).not.toContain("publish_refused")
  await pubsub.close()
  admin!.destroy()
  scripter!.destroy()
})
