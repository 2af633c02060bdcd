import { expect, test } from "vitest"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"
import { mulberry32 } from "../../src/testing/prng.ts"
import { createTracker, type Tracker, type TrackerOptions } from "../../src/tracker/tracker.ts"
import { runScenario, type Breach, type Outcome } from "./scenario.js"

const parts = { createTracker, SeededNetwork, mulberry32 }

const run = (seed: number, breach?: Breach): Promise<Outcome> => runScenario(seed, parts, breach)

/**
 * Each test runs a fixed number of days. A day is bounded in virtual time and in messages, so the result does not depend on
 * real time. The timeout only ends a test on a machine that hangs: 50 days take about a second on an idle machine.
 */
const LAST_RESORT_MS = 600_000
const DAYS_PER_TEST = 50

/** Returns the first seed of each test, for `count` seeds from 1 up. */
const batches = (count: number): number[] =>
  Array.from({ length: count / DAYS_PER_TEST }, (_, batch) => batch * DAYS_PER_TEST + 1)

test.for(batches(500))(
  "all nodes agree after fifty bad days, from seed %i on (T5 to T34, D1 to D13)",
  { timeout: LAST_RESORT_MS },
  async (first) => {
    let messages = 0
    for (let seed = first; seed < first + DAYS_PER_TEST; seed += 1) {
      const outcome = await run(seed)
      expect(outcome.failures, `seed ${seed}:\n${outcome.log.join("\n")}`).toEqual([])
      messages += outcome.messages
    }
    // Checks that messages were received. Without any, agreement would prove nothing.
    expect(messages).toBeGreaterThan(DAYS_PER_TEST * 100)
  },
)

test.for(batches(400))(
  "all nodes show who is where after fifty worse days, with one-sided partitions, clock jumps and altered messages, from seed %i on",
  { timeout: LAST_RESORT_MS },
  async (first) => {
    const total = { messages: 0, altered: 0 }
    for (let seed = first; seed < first + DAYS_PER_TEST; seed += 1) {
      const { failures, log, messages, altered } = await runScenario(seed, parts, undefined, { isWorse: true })
      expect(failures, `seed ${seed}:\n${log.join("\n")}`).toEqual([])
      total.messages += messages
      total.altered += altered
    }
    expect(total.messages).toBeGreaterThan(DAYS_PER_TEST * 100)
    expect(total.altered).toBeGreaterThan(DAYS_PER_TEST * 5)
  },
)

test.for(batches(200))(
  "all nodes agree in the end, but later, if a state is too large for one message, from seed %i on",
  { timeout: LAST_RESORT_MS },
  async (first) => {
    const withSmallMessages = (options?: TrackerOptions): Tracker =>
      createTracker({ ...options, maxMessageBytes: 900, maxDeltaSizes: [3] })
    for (let seed = first; seed < first + DAYS_PER_TEST; seed += 1) {
      const { failures, log } = await runScenario(seed, { ...parts, createTracker: withSmallMessages })
      const wrong = failures.filter((failure) => !failure.includes("lacks two periods after the repair"))
      expect(wrong, `seed ${seed}:\n${log.join("\n")}`).toEqual([])
    }
  },
)

test.for(batches(100))(
  "nodes of this release and of the one before agree in the end, from seed %i on",
  { timeout: LAST_RESORT_MS },
  async (first) => {
    const former = (await import(new URL("../fixtures/former/tracker.mjs", import.meta.url).href)) as {
      createTracker: typeof createTracker
    }
    const mixed = (options?: TrackerOptions): Tracker =>
      (/[13]$/.test(options!.pubsub!.node) ? former.createTracker : createTracker)(options)
    for (let seed = first; seed < first + DAYS_PER_TEST; seed += 1) {
      const { failures, log } = await runScenario(seed, { ...parts, createTracker: mixed })
      const wrong = failures.filter((failure) => !failure.includes("lacks two periods after the repair"))
      expect(wrong, `seed ${seed}:\n${log.join("\n")}`).toEqual([])
    }
  },
)

// Each of these seeds once failed, for the reason in its name.
test.for([
  [9, "a node that returned with an update named as replaced a row that it brought back in the same message"],
  [149, "a forgotten node restarted, its goodbye overtook its first heartbeat, and the leave had no cause"],
  [1814, "late messages of a node's previous ref were taken for a second node of its name"],
  [12_310, "messages that waited while a process was paused were taken for a second node of the sender's name"],
  [38_730, "after a transfer response that brought only a part, no request followed for a whole silent period"],
  [85_846, "late messages of two previous refs, one after the other, were taken for a second node of the name"],
  [102_158, "a node that crashed with the most advanced clocks was sent transfer requests again and again"],
  [506_937, "a heartbeat of an ended start of a node came after those of its next start, and the leave had no cause"],
  [603_854, "a node ignored the request of one that it did not know yet, which then asked nobody for a period"],
] as const)("regression, seed %i: %s", async ([seed]) => {
  const { failures, log } = await run(seed)
  expect(failures).toEqual([])
  expect(log.length).toBeGreaterThan(10)
})

test("regression, seed 203764 of worse days: a row that moved to a new ref was reported as replacing itself", async () => {
  const { failures, log } = await runScenario(203_764, parts, undefined, { isWorse: true })
  expect(failures).toEqual([])
  expect(log.length).toBeGreaterThan(10)
})

test("the same seed gives the same day, message by message", async () => {
  const [first, second] = [await run(4711), await run(4711)]
  expect(first.log.length).toBeGreaterThan(10)
  expect(first.messages).toBeGreaterThan(100)
  expect(second).toEqual(first)
})

/** The JSON of a heartbeat: mark, version, wire name, shards, refs, clocks, delta. */
type Wire = [string, number, string, number, string[], number[], unknown]

/**
 * Returns a breach that changes the messages that nodes receive, or drops those for which `change` returns `undefined`.
 */
function mutated(change: (message: Wire) => Wire | undefined): Breach {
  return {
    receives(bytes) {
      const message = change(JSON.parse(new TextDecoder().decode(bytes)) as Wire)
      return message && new TextEncoder().encode(JSON.stringify(message))
    },
  }
}

// The simulation must be able to fail. Each breach breaks one rule, and at least one of a hundred days must detect it.
test.for<[rule: string, breach: Breach, expected: string]>([
  [
    "transfer responses are lost (T23)",
    mutated((message) => (message[2] === "answer" ? undefined : message)),
    "lacks two periods after the repair",
  ],
  [
    "deltas lose their rows and keep their dots (T13)",
    mutated((message) => {
      const payload = message[6] as [parts: [number, number[], unknown[]][]] | 0 | undefined
      if (message[2] === "heartbeat" && payload) for (const part of payload[0]) part[2] = []
      return message
    }),
    "in the end, expected",
  ],
  [
    "goodbyes are sent for nodes that are alive (T33)",
    mutated((message) => (message[5]?.[1] === 3 ? ["rollcall", 1, "goodbye", 1, message[4], [], 0] : message)),
    "reported without cause",
  ],
  [
    "neither an owner's clock nor a digest arrives (T28)",
    mutated((message) => {
      const [mark, version, type, shards, refs, , delta] = message
      return type === "heartbeat" ? [mark, version, type, shards, refs, [], delta] : message
    }),
    "lacks two periods after the repair",
  ],
  [
    "stale-ref notices are lost (D9)",
    mutated((message) => (message[2] === "burial" ? undefined : message)),
    "lacks two periods",
  ],
  [
    "payloads claim dots that they do not contain (T29)",
    mutated((message) => {
      if (message[2] === "answer" || message[2] === "heartbeat") {
        const payload = (message[2] === "answer" ? message[5] : message[6]) as [[number, number[]][]] | 0
        if (payload) for (const part of payload[0]) part[1] = [1, (part[1].at(-1) ?? 0) + 5]
      }
      return message
    }),
    // In the end all nodes agree: a node restarts when another one claims to have seen more of its dots than it has
    // used.
    "reported without cause",
  ],
])("a hundred bad days detect that %s", { timeout: LAST_RESORT_MS }, async ([, breach, expected]) => {
  const failures: string[] = []
  for (let seed = 1; seed <= 100 && !failures.some((failure) => failure.includes(expected)); seed += 1) {
    failures.push(...(await run(seed, breach)).failures)
  }
  expect(failures.join("\n")).toContain(expected)
})

let heartbeats = 0
test.for<[what: string, change: (heartbeat: unknown[], node: string) => void]>([
  [
    "the digests of one node lie",
    (heartbeat, node) => node === "n2" && heartbeat[9] !== undefined && (heartbeat[9] = 1),
  ],
  [
    "the owner's clock is missing in every other heartbeat",
    (heartbeat) => {
      if ((heartbeats += 1) % 2 === 0) heartbeat[5] = []
    },
  ],
])("fifty bad days end in agreement although %s", { timeout: LAST_RESORT_MS }, async ([fault, change]) => {
  // A node that does not get an owner's clock learns late what it lacks, and may show a leave until then.
  const isLate = fault.includes("clock")
    ? /lacks two periods after the repair|reported without cause/
    : /lacks two periods after the repair/
  const breach: Breach = {
    receives(bytes, from) {
      const message = JSON.parse(new TextDecoder().decode(bytes)) as unknown[]
      if (message[2] === "heartbeat") change(message, from)
      return new TextEncoder().encode(JSON.stringify(message))
    },
  }
  for (let seed = 1; seed <= 50; seed += 1) {
    const { failures, log } = await run(seed, breach)
    const wrong = failures.filter((failure) => !isLate.test(failure))
    expect(wrong, `seed ${seed}:\n${log.join("\n")}`).toEqual([])
  }
})

test("a hundred worse days detect that altered messages are accepted", { timeout: LAST_RESORT_MS }, async () => {
  const withoutChecksum: Breach = {
    receives: (bytes) => new TextEncoder().encode(new TextDecoder().decode(bytes).trimEnd()),
  }
  const failures: string[] = []
  for (let seed = 1; seed <= 100 && !failures.some((failure) => failure.includes("shows a wrong row")); seed += 1) {
    failures.push(...(await runScenario(seed, parts, withoutChecksum, { isWorse: true })).failures)
  }
  expect(failures.join("\n")).toContain("shows a wrong row")
})

test("a hundred worse days detect that a clock goes back", { timeout: LAST_RESORT_MS }, async () => {
  // The tracker's own view of the clock is monotonic, so a clock is broken that stands still until the old time is reached.
  const standingStill = (options?: TrackerOptions): Tracker => {
    const timers = options!.timers!
    let last = -Infinity
    return createTracker({ ...options, timers: { ...timers, now: () => (last = Math.max(last, timers.now())) } })
  }
  const failures: string[] = []
  for (let seed = 1; seed <= 100 && failures.length === 0; seed += 1) {
    const days = { ...parts, createTracker: standingStill }
    failures.push(...(await runScenario(seed, days, undefined, { isWorse: true })).failures)
  }
  expect(failures.join("\n")).toMatch(/lacks three periods|in the end, expected|without cause/)
})

test("a bad day detects that a listener is notified twice of one diff (D13)", async () => {
  const { failures } = await runScenario(1, { ...parts, createTracker: notifyingTwice })
  expect(failures.join("\n")).toContain("reported twice")
})

test("a bad day ends with a failure when nodes answer every message with another one", async () => {
  const answering = (options?: TrackerOptions): Tracker => {
    const { pubsub } = options!
    void pubsub!.subscribe("tracker:presence:0", (bytes) => pubsub!.publish("tracker:presence:0", bytes))
    return createTracker(options)
  }
  const { failures } = await runScenario(1, { ...parts, createTracker: answering })
  expect(failures.at(-1)).toContain("expected at most 20000 messages in a day, got more")
})

function notifyingTwice(options?: TrackerOptions): Tracker {
  const tracker = createTracker(options)
  const onDiff: Tracker["onDiff"] = (listener) =>
    tracker.onDiff((diff) => {
      listener(diff)
      listener(diff)
    })
  return new Proxy(tracker, {
    get(_, name: keyof Tracker) {
      const value: unknown = name === "onDiff" ? onDiff : tracker[name]
      return typeof value === "function" ? (value.bind(tracker) as unknown) : value
    },
  })
}
