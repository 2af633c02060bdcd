import { describe, expect, it } from "vitest"
import { local } from "../src/pubsub/index.ts"
import { nats } from "../src/pubsub/nats.ts"
import { redis } from "../src/pubsub/redis.ts"
import { createServer, tokens, watchKeys } from "../src/server/index.ts"
import { DEFAULT_LIMITS } from "../src/server/limits.ts"
import { createServices } from "../src/services/index.ts"
import { createTracker } from "../src/tracker/index.ts"

const services = createServices({ tracker: createTracker() })
const server = createServer()
const kind = { start: () => 1, stop: () => undefined }

/** What takes numbers, with the names of those, and of those among them that are times for timers. */
const TAKERS: Record<
  string,
  { take: (option: any) => unknown; numbers: readonly string[]; times?: readonly string[] }
> = {
  createServer: {
    take: (option) => createServer(option),
    numbers: [...Object.keys(DEFAULT_LIMITS), "presenceWindowMs"],
    times: [...Object.keys(DEFAULT_LIMITS).filter((name) => name.endsWith("Ms")), "presenceWindowMs"],
  },
  "trustProxy of createServer": { take: (option) => createServer(option), numbers: ["trustProxy"] },
  "services of createServer": {
    take: (limits) => createServer({ services: { limits } }),
    numbers: ["maxCallsInFlight", "maxRunningCalls", "maxPayloadBytes", "streamWindow", "retryShare"],
  },
  listen: {
    take: (option) => createServer().listen({ port: 0, ...option }),
    numbers: [
      "port",
      "workers",
      "keepAliveTimeout",
      "headersTimeout",
      "requestTimeout",
      "maxHeaderSize",
      "maxRequestsPerSocket",
    ],
    times: ["keepAliveTimeout", "headersTimeout", "requestTimeout"],
  },
  "operations of listen": {
    take: (operations) => createServer().listen({ port: 0, operations }),
    numbers: ["port"],
  },
  createTracker: {
    take: (option) => createTracker(option),
    numbers: [
      "broadcastPeriodMs",
      "maxSilentPeriods",
      "deltaWindowMs",
      "downPeriodMs",
      "permdownPeriodMs",
      "maxMessageBytes",
      "poolSize",
      "hideOthersAfterMs",
    ],
    times: ["broadcastPeriodMs", "deltaWindowMs"],
  },
  "maxDeltaSizes of createTracker": {
    take: ({ size }) => createTracker({ maxDeltaSizes: [size] }),
    numbers: ["size"],
  },
  local: { take: (option) => local(option), numbers: ["maxBufferedBytes"] },
  redis: {
    take: (option) => redis(option),
    numbers: ["pingIntervalMs", "pingTimeoutMs"],
    times: ["pingIntervalMs", "pingTimeoutMs"],
  },
  nats: {
    take: (option) => nats(option),
    numbers: ["pingIntervalMs", "pingTimeoutMs"],
    times: ["pingIntervalMs", "pingTimeoutMs"],
  },
  tokens: { take: (option) => tokens({ secret: "x".repeat(32), ...option }), numbers: ["maxAgeS", "clockSkewS"] },
  "watchKeys of a channel": {
    take: (option) => watchKeys({ may: () => true, ...option }),
    numbers: ["graceMs", "paceMs", "maxKeys"],
    times: ["graceMs", "paceMs"],
  },
  "watchKeys of a server": {
    take: (option) => server.presence.watchKeys(["ada"], () => {}, option),
    numbers: ["graceMs"],
    times: ["graceMs"],
  },
  "track of a server": {
    take: (option) => server.presence.track({ topic: "rooms:1", key: "bot", ...option }),
    numbers: ["ttlMs"],
    times: ["ttlMs"],
  },
  announce: { take: (option) => services.announce("game", option), numbers: ["weight"] },
  place: {
    take: (option) => services.place("room", kind, option),
    numbers: ["weight", "movesPerSecond", "maxHeldCalls", "handOverMs", "aloneAfterMs"],
    times: ["handOverMs", "aloneAfterMs"],
  },
  call: {
    take: (option) => services.call("game", "spawn", {}, option),
    numbers: ["timeoutMs", "retries"],
    times: ["timeoutMs"],
  },
  "drain of an instance": { take: (option) => services.announce("game").drain(option), numbers: ["timeoutMs"] },
  "close of services": {
    take: (option) => createServices({ tracker: createTracker() }).close(option),
    numbers: ["drainMs"],
  },
}

// A comparison with NaN is never true, a text compares as a number and is then added as a text, and a timer with too long a time fires at once.
describe.each(Object.entries(TAKERS))("%s", (_what, { take, numbers, times = [] }) => {
  const wrong = numbers.flatMap((name) => {
    const values = [Number.NaN, -1, -Infinity, "fast", true, {}, [5]]
    return (
      [...values, ...(times.includes(name) ? [Infinity, 2 ** 31] : [])]
        // `true` is one proxy, and a list may be of proxies.
        .filter((value) => name !== "trustProxy" || typeof value === "number")
        .map((value) => [name, value] as const)
    )
  })

  it.each(wrong)("refuses %s: %o, and names it", async (name, value) => {
    // A function that is async rejects, and another one throws.
    const outcome = await new Promise((resolve) => resolve(take({ [name]: value }))).catch((error: unknown) => error)
    expect(outcome).toMatchObject({ code: "config", message: expect.stringMatching(/^expected .*, got /) })
    if (name !== "size") expect((outcome as Error).message).toContain(name)
  })
})
