import { expect, test } from "vitest"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"
import { mulberry32 } from "../../src/testing/prng.ts"
import { createTracker, type Tracker, type TrackerOptions } from "../../src/tracker/tracker.ts"
import { runScenario, type Breach, type Outcome } from "./scenario.js"

const parts = { createTracker, SeededNetwork, mulberry32 }

const run = (seed: number, breach?: Breach): Promise<Outcome> => runScenario(seed, parts, breach)

test("five hundred bad days end well (T5 to T34, D1 to D13)", async () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const { failures, story } = await run(seed)
    expect(failures, `seed ${seed}:\n${story.join("\n")}`).toEqual([])
  }
})

test("two hundred bad days end well where a state is too large for one message, though it takes its time", async () => {
  const small = (options?: TrackerOptions): Tracker =>
    createTracker({ ...options, maxMessageBytes: 900, maxDeltaSizes: [3] })
  for (let seed = 1; seed <= 200; seed += 1) {
    const { failures, story } = await runScenario(seed, { ...parts, createTracker: small })
    const wrong = failures.filter((failure) => !failure.includes("two periods after healing"))
    expect(wrong, `seed ${seed}:\n${story.join("\n")}`).toEqual([])
  }
})

// Each once failed, for the reason that its name gives.
test.for([
  [9, "a node that returns with an update names as replaced a row that it brought back in the same message"],
  [149, "a forgotten node's restart, whose goodbye overtakes its first heartbeat, is no leave without a cause"],
  [1814, "late messages of a node's former ref are taken for a second node of its name"],
  [12_310, "what waited while a process was stopped is taken for a second node of the sender's name"],
  [38_730, "an answer that goes a part of the way only is the last for a whole silent span"],
  [85_846, "late messages of two former lives, one after the other, are taken for a second node of the name"],
  [102_158, "a node that died with the most advanced clocks is asked again and again"],
] as const)("seed %i: %s", async ([seed]) => {
  expect((await run(seed)).failures).toEqual([])
})

test("a seed replays exactly", async () => {
  const [first, second] = [await run(4711), await run(4711)]
  expect(first.story.length).toBeGreaterThan(10)
  expect(second).toEqual(first)
})

/** A heartbeat's JSON: mark, version, type, shards, refs, clocks, delta. */
type Wire = [string, number, string, number, string[], number[], unknown]

/** Rewrites what nodes hear; `undefined` is not heard at all. */
function mutated(change: (message: Wire) => Wire | undefined): Breach {
  return {
    receives(bytes) {
      const message = change(JSON.parse(new TextDecoder().decode(bytes)) as Wire)
      return message && new TextEncoder().encode(JSON.stringify(message))
    },
  }
}

// The simulation must be able to fail: each breach takes one rule away, and some day of a hundred must notice.
test.for<[rule: string, breach: Breach, says: string]>([
  [
    "answers are lost (T23)",
    mutated((message) => (message[2] === "answer" ? undefined : message)),
    "two periods after healing does not know",
  ],
  [
    "deltas lose their rows and keep their dots (T13)",
    mutated((message) => {
      const payload = message[6] as [parts: [number, number[], unknown[]][]] | 0 | undefined
      if (message[2] === "heartbeat" && payload) for (const part of payload[0]) part[2] = []
      return message
    }),
    "in the end, the truth is",
  ],
  [
    "goodbyes are said for others (T33)",
    mutated((message) => (message[5]?.[1] === 3 ? ["rollcall", 1, "goodbye", 1, message[4], [], 0] : message)),
    "told without cause",
  ],
  [
    "refs that are over are not told so (D9)",
    mutated((message) => (message[2] === "burial" ? undefined : message)),
    "does not know",
  ],
  [
    "heartbeats claim clocks that are ahead of what they bring (T29)",
    mutated((message) => {
      if (message[2] === "answer" || message[2] === "heartbeat") {
        const payload = (message[2] === "answer" ? message[5] : message[6]) as unknown as [[number, number[]][]] | 0
        if (payload) for (const part of payload[0]) part[1] = [1, (part[1].at(-1) ?? 0) + 5]
      }
      return message
    }),
    // In the end all is well: whoever is claimed to be ahead of itself notices, and restarts.
    "told without cause",
  ],
])("a hundred bad days notice when %s", async ([, breach, says]) => {
  const failures: string[] = []
  for (let seed = 1; seed <= 100 && !failures.some((failure) => failure.includes(says)); seed += 1) {
    failures.push(...(await run(seed, breach)).failures)
  }
  expect(failures.join("\n")).toContain(says)
})

test("a day notices when a listener is told twice (D13)", async () => {
  const { failures } = await runScenario(1, { ...parts, createTracker: tellingTwice })
  expect(failures.join("\n")).toContain("told twice")
})

function tellingTwice(options?: TrackerOptions): Tracker {
  const tracker = createTracker(options)
  const onDiff: Tracker["onDiff"] = (listener) =>
    tracker.onDiff((diff) => {
      listener(diff)
      listener(diff)
    })
  return new Proxy(tracker, {
    get(_, name: keyof Tracker) {
      return name === "onDiff" ? onDiff : (tracker[name] as () => unknown).bind(tracker)
    },
  })
}
