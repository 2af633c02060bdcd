import { createClient } from "redis"
import { afterEach, expect, test } from "vitest"
import { RedisSession } from "../../src/pubsub/redis-session.ts"
import { systemTimers } from "../../src/timers.ts"
import { redisServer, type Engine } from "../support/engine.js"

const servers: Engine[] = []
let session: RedisSession

afterEach(async () => {
  session.close()
  await Promise.all(servers.splice(0).map((server) => server.kill()))
})

async function started(): Promise<Engine> {
  const server = await redisServer()
  servers.push(server)
  await server.start()
  return server
}

function open(): { causes: unknown[] } {
  const causes: unknown[] = []
  session = new RedisSession({
    createClient,
    timers: systemTimers,
    pingIntervalMs: 1_000,
    // Longer than the test may take, so that nothing ends because of it.
    pingTimeoutMs: 600_000,
    onFrame: () => undefined,
    onLost: (cause) => void causes.push(cause),
  })
  return { causes }
}

test("a session whose first server dies while it connects to the second one ends, instead of waiting for ever", async () => {
  const [first, second] = [await started(), await started()]
  const { causes } = open()
  await session.addServer({ url: first.url }, true)
  second.signal("SIGSTOP")
  const adding = session.addServer({ url: second.url }, true)
  const outcome = expect(adding).rejects.toThrow()
  await first.kill()
  await outcome
  expect([session.isLost, causes.length]).toEqual([true, 1])
})

test("a session that is closed while it connects ends, too, and reports no loss", async () => {
  const server = await started()
  const { causes } = open()
  server.signal("SIGSTOP")
  const outcome = expect(session.addServer({ url: server.url }, true)).rejects.toThrow(/closed/)
  session.close()
  await outcome
  expect(causes).toEqual([])
})
