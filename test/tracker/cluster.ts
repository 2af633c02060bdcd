import { decodeMessage, type Message } from "../../src/tracker/tracker-messages.ts"
import { createTracker, type Diff, type Tracker, type TrackerOptions } from "../../src/tracker/tracker.ts"
import { SeededNetwork, type SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import type { SeededNode } from "../../src/testing/seeded-node.ts"

/** One node under test: its tracker, and all that it was told, told others, counted and complained of. */
export interface TestNode {
  readonly node: SeededNode
  readonly tracker: Tracker
  /** "+key" for a join and "-key" for a leave, in the order in which they were told; one list a diff. */
  readonly told: string[][]
  readonly sent: { readonly to: string | undefined; readonly message: Message; readonly bytes: number }[]
  readonly counts: Map<string, number>
  readonly errors: unknown[]
  /** The codes of the errors. */
  codes(): unknown[]
  /** The keys of everybody in "room", sorted. */
  keys(): string[]
}

/** A cluster in virtual time, whose trackers have the default timing unless told otherwise. */
export class Cluster {
  readonly network: SeededNetwork
  readonly #options: TrackerOptions

  constructor(options: TrackerOptions = {}, network: Partial<SeededNetworkOptions> = {}) {
    this.network = new SeededNetwork({ seed: 1, ...network })
    this.#options = options
  }

  start(name: string, options: TrackerOptions = {}): TestNode {
    const node = this.network.node(name)
    const sent: TestNode["sent"] = []
    const note = (to: string | undefined, bytes: Uint8Array): void => {
      const message = decodeMessage(bytes)
      if (typeof message === "string") throw new Error(`${name} sent what it would refuse itself: ${message}`)
      sent.push({ to, message, bytes: bytes.length })
    }
    const pubsub = Object.create(node.pubsub, {
      publish: {
        value: (topic: string, bytes: Uint8Array) => {
          note(undefined, bytes)
          node.pubsub.publish(topic, bytes)
        },
      },
      send: {
        value: (to: string, topic: string, bytes: Uint8Array) => {
          note(to, bytes)
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
    const told: string[][] = []
    tracker.onDiff((diff) => void told.push(inWords(diff)))
    const keys = (): string[] => {
      const found = tracker.list("room").map((row) => row.key)
      found.sort()
      return found
    }
    const codes = (): unknown[] => errors.map((error) => (error as { code?: unknown }).code)
    return { node, tracker, told, sent, counts, errors, codes, keys }
  }

  run(ms: number): Promise<void> {
    return this.network.run(ms)
  }
}

/** A diff in words: "+key" for a join, "-key" for a leave. */
export function inWords(diff: Diff): string[] {
  const words: string[] = []
  for (const { joins, leaves } of diff.values()) {
    for (const row of joins) words.push(`+${row.key}`)
    for (const row of leaves) words.push(`-${row.key}`)
  }
  return words
}
