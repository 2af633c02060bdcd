import { decodeMessage, type Message } from "../../src/tracker/tracker-messages.ts"
import { createTracker, type Diff, type Tracker, type TrackerOptions } from "../../src/tracker/tracker.ts"
import { SeededNetwork, type SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import type { SeededNode } from "../../src/testing/seeded-node.ts"
import { FaultyBus } from "../support/faulty-bus.ts"

/** One node under test: its tracker, and the diffs, sent messages, counts and errors of that tracker. */
export interface TestNode {
  readonly node: SeededNode
  readonly tracker: Tracker
  /** One list per diff: "+key" for each join, then "-key" for each leave. */
  readonly diffs: string[][]
  readonly sent: { readonly to: string | undefined; readonly message: Message; readonly bytes: number }[]
  readonly counts: Map<string, number>
  readonly errors: unknown[]
  /** Returns the codes of the errors. */
  codes(): unknown[]
  /** Returns the keys in the topic "room", sorted. */
  keys(): string[]
}

/** A cluster in virtual time. Its trackers have the default options, unless a test gives others. */
export class SeededCluster {
  readonly network: SeededNetwork
  readonly #options: TrackerOptions

  constructor(options: TrackerOptions = {}, network: Partial<SeededNetworkOptions> = {}) {
    this.network = new SeededNetwork({ seed: 1, ...network })
    this.#options = options
  }

  /** Starts a node. `incoming` can change what it receives; `created` is called before its tracker is created. */
  start(
    name: string,
    options: TrackerOptions = {},
    incoming: FaultyBus = new FaultyBus(),
    created: (node: SeededNode) => void = () => undefined,
  ): TestNode {
    const node = this.network.node(name)
    created(node)
    const sent: TestNode["sent"] = []
    const record = (to: string | undefined, bytes: Uint8Array): void => {
      const message = decodeMessage(bytes)
      if (typeof message === "string")
        throw new Error(`expected ${name} to send valid messages, got one that it would refuse itself: ${message}`)
      sent.push({ to, message, bytes: bytes.length })
    }
    const pubsub = Object.create(incoming.around(node.pubsub), {
      publish: {
        value: (topic: string, bytes: Uint8Array) => {
          record(undefined, bytes)
          node.pubsub.publish(topic, bytes)
        },
      },
      send: {
        value: (to: string, topic: string, bytes: Uint8Array) => {
          record(to, bytes)
          node.pubsub.send(to, topic, bytes)
        },
      },
    }) as SeededNode["pubsub"]
    const counts = new Map<string, number>()
    const errors: unknown[] = []
    const tracker = createTracker({
      pubsub,
      timers: node.timers,
      random: this.network.random,
      count: (counter) => void counts.set(counter, (counts.get(counter) ?? 0) + 1),
      onError: (error) => void errors.push(error),
      ...this.#options,
      ...options,
    })
    const diffs: string[][] = []
    tracker.onDiff((diff) => void diffs.push(keysOf(diff)))
    const keys = (): string[] => {
      const found = tracker.list("room").map((row) => row.key)
      found.sort()
      return found
    }
    const codes = (): unknown[] => errors.map((error) => (error as { code?: unknown }).code)
    return { node, tracker, diffs, sent, counts, errors, codes, keys }
  }

  run(ms: number): Promise<void> {
    return this.network.run(ms)
  }
}

/** Returns "+key" for each join of a diff, and "-key" for each leave. */
export function keysOf(diff: Diff): string[] {
  const keys: string[] = []
  for (const { joins, leaves } of diff.values()) {
    for (const row of joins) keys.push(`+${row.key}`)
    for (const row of leaves) keys.push(`-${row.key}`)
  }
  return keys
}
