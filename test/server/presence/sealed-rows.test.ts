import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { connect } from "../../../src/client/index.ts"
import { isSealed, sealedRow } from "../../../src/crdt/sealed-row.ts"
import { LocalBus } from "../../../src/pubsub/index.ts"
import { createServer } from "../../../src/server/index.ts"
import type { PresenceWindow, Server, ServerOptions } from "../../../src/server/index.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { createTracker } from "../../../src/tracker/index.ts"
import { until } from "../../support/until.ts"

// The rows that a node receives in a state stay one text each until they are read (`sealedRow`): a server must read no row of a
// topic in which nobody on its node is interested.
vi.mock("../../../src/crdt/sealed-row.ts", { spy: true })

const TOPICS = 30
const PER_TOPIC = 10
/** So many rows of a message are opened when they arrive, so that a shape that does not fit is found. */
const ALWAYS_OPENED = 16

const closing: (() => unknown)[] = []
beforeEach(() => void vi.mocked(sealedRow).mockClear())
afterEach(async () => {
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
})

interface SealableRow {
  readonly topic: string
  readonly key: string
}

const received = (): SealableRow[] => vi.mocked(sealedRow).mock.results.map(({ value }) => value as SealableRow)
/** Returns the topics of the rows that arrived sealed and have been opened, each once. */
const openedTopics = (): string[] => [
  ...new Set(
    received()
      .filter((row) => !isSealed(row as never))
      .map(({ topic }) => topic),
  ),
]
const topicOf = (n: number): string => `rooms:${n}`
/** A topic of which all rows arrive sealed. */
const LAST = topicOf(TOPICS - 1)

/** A node with users in all topics. It has announced them, so that a node that comes gets them in a state. */
async function fullNode(bus: LocalBus) {
  const pubsub = bus.join({ node: "full" })
  const publish = vi.spyOn(pubsub, "publish")
  const tracker = createTracker({ pubsub })
  closing.push(async () => {
    await tracker.close()
    await pubsub.close()
  })
  for (let n = 0; n < TOPICS; n += 1)
    for (let i = 0; i < PER_TOPIC; i += 1)
      tracker.track(`${n}.${i}`, topicOf(n), `user${i}`, { name: `Ada ${i}`, status: "here" })
  await until(() => publish.mock.calls.some(([, bytes]) => bytes.length > TOPICS * PER_TOPIC * 20))
  return tracker
}

/** A server that has received the users of the other node. */
async function startedServer(bus: LocalBus, options: ServerOptions = {}, prepare: (server: Server) => void = () => {}) {
  const pubsub = bus.join({ node: "server" })
  const server = createServer({ logger: { warn() {}, error() {} }, pubsub, ...options })
  closing.push(async () => {
    await server.close()
    await pubsub.close()
  })
  server.socket("/socket")
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    presenceGraceMs: 60_000,
    presence: (_channel, me) => ({ key: "viewer", meta: me }),
  })
  prepare(server)
  const rows = TOPICS * PER_TOPIC
  await until(() => received().length >= rows - ALWAYS_OPENED)
  const transport = memoryTransport(server).WebSocket
  const join = (topic: string) => {
    const connection = connect("ws://memory/socket", { transport })
    closing.push(() => connection.disconnect())
    return { connection, room: connection.room(topic, { me: { device: "web" } }) }
  }
  /** Waits until all windows that are open now have ended. */
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  }
  await settled()
  return { server, join, settled }
}

const USERS = Array.from({ length: PER_TOPIC }, (_, i) => `user${i}`)

describe("a server that receives a state", () => {
  it.each<[PresenceWindow | number | false]>([[0], [1], [false], [() => 1]])(
    "opens no row of a topic without clients, and then only those of the topic that a client joins (window %s)",
    async (presenceWindowMs) => {
      const bus = new LocalBus()
      await fullNode(bus)
      const { join, settled } = await startedServer(bus, { presenceWindowMs })
      expect(openedTopics()).toEqual([])
      const { room } = join(LAST)
      await until(() => room.size === PER_TOPIC + 1)
      expect(
        room
          .list()
          .map(({ key }) => key)
          .sort(),
      ).toEqual([...USERS, "viewer"])
      await settled()
      expect(openedTopics()).toEqual([LAST])
    },
  )

  it("opens the rows of all topics for a listener of diffs", async () => {
    const bus = new LocalBus()
    await fullNode(bus)
    const topics: string[] = []
    await startedServer(bus, {}, (server) => server.presence.onDiff((topic) => topics.push(topic)))
    await until(() => topics.length >= TOPICS)
    expect(openedTopics()).toContain(LAST)
  })
})
