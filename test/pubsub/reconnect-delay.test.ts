import { beforeEach, describe, expect, test, vi } from "vitest"
import { nats } from "../../src/pubsub/nats.ts"
import { reconnectDelay } from "../../src/pubsub/reconnect-delay.ts"
import { redis } from "../../src/pubsub/redis.ts"

describe("the delay before a reconnect", () => {
  test("lies in the upper half of a backoff that begins at 50 ms and doubles with each attempt up to 2 s", () => {
    const ranges = [0, 1, 5, 6, 1000].map((attempt) => [reconnectDelay(attempt, 0), reconnectDelay(attempt, 1)])
    expect(ranges).toEqual([
      [25, 50],
      [50, 100],
      [800, 1600],
      [1000, 2000],
      [1000, 2000],
    ])
  })

  test("differs between nodes at every attempt, so that a cluster does not reconnect at one instant", () => {
    for (const attempt of [0, 1, 2, 5, 10, 100]) {
      const delays = Array.from({ length: 100 }, (_, node) => reconnectDelay(attempt, node / 100))
      expect(new Set(delays).size).toBeGreaterThan(20)
    }
  })
})

// The contract tests check that the drivers really reconnect. These tests check only the options that the drivers are given.
type RedisOptions = { socket: { reconnectStrategy(attempt: number): number } }
type NatsOptions = Record<"reconnectTimeWait" | "reconnectJitter" | "reconnectJitterTLS", number>

const given = vi.hoisted(() => ({ redis: [] as unknown[], nats: [] as unknown[] }))

vi.mock("redis", () => ({
  createClient(options: unknown) {
    given.redis.push(options)
    const client = {
      on: () => client,
      once: () => client,
      duplicate: () => client,
      connect: () => Promise.reject(new Error("no server")),
      destroy: () => undefined,
    }
    return client
  },
}))

vi.mock("@nats-io/transport-node", () => ({
  connect(options: unknown) {
    given.nats.push(options)
    return Promise.reject(new Error("no server"))
  },
}))

describe("the options given to a driver", () => {
  beforeEach(() => {
    given.redis.length = 0
    given.nats.length = 0
  })

  test("make Redis reconnect after a random delay", async () => {
    await expect(redis()).rejects.toMatchObject({ code: "engine_unreachable" })
    const { reconnectStrategy } = (given.redis as RedisOptions[])[0]!.socket
    const random = vi.spyOn(Math, "random")
    const delays = [0, 0.5].map((value) => {
      random.mockReturnValue(value)
      return reconnectStrategy(10)
    })
    random.mockRestore()
    expect(delays).toEqual([1000, 1500])
  })

  test("make NATS reconnect after a random delay around half a second, with and without TLS", async () => {
    await expect(nats()).rejects.toMatchObject({ code: "engine_unreachable" })
    const [options] = given.nats as NatsOptions[]
    expect(options).toMatchObject({ reconnectTimeWait: 250, reconnectJitter: 500, reconnectJitterTLS: 500 })
  })

  test("may be replaced by the delays that the caller gives for NATS", async () => {
    const attempt = nats({ client: { reconnectTimeWait: 2000, reconnectJitter: 100 } })
    await expect(attempt).rejects.toMatchObject({ code: "engine_unreachable" })
    expect(given.nats).toMatchObject([{ reconnectTimeWait: 2000, reconnectJitter: 100 }])
  })
})
