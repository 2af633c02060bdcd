import { onTestFinished, describe, expect, test } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { ChannelHandlers, Server, ServerOptions } from "../../../src/server/index.ts"
import type { Inlet } from "../../../src/server/transport.ts"
import { serve } from "../../support/serve.ts"
import { until } from "../../support/until.ts"

/** More than one connection handles in a turn of the event loop. */
const MANY = 40
const TOPICS = Array.from({ length: MANY }, (_, at) => `rooms:${at}`)
const KEY = "ada"

type Frame = readonly [joinRef: string, ref: string, topic: string, event: string, payload: unknown]
const join = (topic: string): Frame => [topic, "1", topic, "phx_join", {}]
const push = (topic: string, event: string): Frame => [topic, "2", topic, event, {}]

const settings = (handlers: Partial<ChannelHandlers> = {}): ChannelHandlers => ({
  join: () => ({ ok: {} }),
  presenceGraceMs: 60_000,
  presence: () => ({ key: KEY }),
  ...handlers,
})

function route(server: Server, handlers?: Partial<ChannelHandlers>): void {
  server.socket("/socket", { id: () => KEY })
  server.channel("rooms:*", settings(handlers))
}

/**
 * A server, and the ends of connections that a transport holds: the test decides what comes in which turn of the event loop.
 * @param events called with each counter when it is counted
 */
function started(
  handlers: Partial<ChannelHandlers> = {},
  options: ServerOptions = {},
  events: (name: string) => void = () => {},
) {
  const server = createServer({
    logger: { warn() {}, error() {} },
    meter: { count: (name) => events(name) },
    ...options,
  })
  onTestFinished(() => server.close())
  route(server, handlers)
  const inlets: Inlet[] = []
  return {
    server,
    counters: () => server.stats().counters,
    present: () => TOPICS.filter((topic) => server.presence.get(topic, KEY) !== undefined),
    /** Connects, and joins the topics. */
    async client(topics: readonly string[] = TOPICS) {
      const before = server.presence.get(topics[0] ?? "", KEY)?.metas.length ?? 0
      const url = new URL("ws://memory/socket?vsn=2.0.0")
      const handshake = { path: "/socket", params: { vsn: "2.0.0" }, url, headers: {}, address: "memory" }
      const admission = await server.endpoint.admit({ ...handshake, signal: new AbortController().signal })
      if (!admission.ok) throw new Error(admission.reason)
      const inlet = admission.open({ send() {}, close() {} })
      inlets.push(inlet)
      const send = (...frames: Frame[]): void => {
        for (const frame of frames) inlet.receive(JSON.stringify(frame))
      }
      send(...topics.map(join))
      await until(() => topics.every((topic) => (server.presence.get(topic, KEY)?.metas.length ?? 0) > before))
      return { send, sendText: (text: string) => inlet.receive(text), lose: () => inlet.closed() }
    },
    /** Resolves when the channels of all connections have ended. */
    ended: () => until(() => server.stats().channels === 0 && server.stats().connections === 0),
  }
}

/** A client whose join of the first room has tracked it, and is answered by `answer`. */
async function joining() {
  let answer = (): void => {}
  const all = started({
    presence: undefined as never,
    join: (_topic, _params, channel) => {
      all.server.presence.track(channel, KEY)
      return new Promise((resolve) => (answer = () => resolve({ ok: {} })))
    },
  })
  return { all, client: await all.client(["rooms:0"]), answer: () => answer() }
}

describe("server.disconnect(id) ends the presences", () => {
  test("of a connection that was lost a moment ago, and whose channels have not ended yet", async () => {
    const events = (name: string): void => {
      // The connection is not counted any more, and most of its channels have not ended.
      if (name === "disconnects") queueMicrotask(() => all.server.disconnect(KEY))
    }
    const all = started({}, {}, events)
    const { lose } = await all.client()
    lose()
    await all.ended()
    expect(all.present()).toEqual([])
  })

  test("of a connection that is lost before its close has its turn behind what the client has sent", async () => {
    const all = started({ on: { noop() {} } })
    const { send, lose } = await all.client()
    send(...TOPICS.map((topic) => push(topic, "noop")))
    all.server.disconnect(KEY)
    lose()
    await all.ended()
    expect(all.present()).toEqual([])
    expect(all.counters()["kept_presences"]).toBe(0)
  })

  test("of a connection that is lost while a slow join keeps its close waiting", async () => {
    const all = started({ join: (topic) => (topic === "rooms:slow" ? new Promise(() => {}) : { ok: {} }) })
    const { send, lose } = await all.client()
    send(join("rooms:slow"))
    all.server.disconnect(KEY)
    lose()
    await all.ended()
    expect(all.present()).toEqual([])
  })

  test("of a connection that was lost a moment ago, and whose join is not answered yet", async () => {
    const { all, client, answer } = await joining()
    client.lose()
    all.server.disconnect(KEY)
    answer()
    await until(() => all.counters()["failed_joins"] === 1)
    expect(all.present()).toEqual([])
    expect(all.counters()["kept_presences"]).toBe(0)
  })

  test("of the connections with this id only, and of no later one", async () => {
    const all = started()
    const first = await all.client()
    first.lose()
    await all.ended()
    all.server.disconnect(KEY)
    expect(all.present()).toEqual([])
    const second = await all.client()
    second.lose()
    await all.ended()
    all.server.disconnect("bob")
    expect(all.present()).toEqual(TOPICS)
  })
})

describe("a client that leaves its rooms and is gone at once has left them", () => {
  test("if its connection ends before the leaves had their turn", async () => {
    const left: string[] = []
    const all = started({ left: (_channel, reason) => void left.push(reason) })
    const { send, lose } = await all.client()
    send(...TOPICS.map((topic) => push(topic, "phx_leave")))
    lose()
    await all.ended()
    expect(all.present()).toEqual([])
    expect(all.counters()["kept_presences"]).toBe(0)
    expect(left).toHaveLength(MANY)
  })

  test("if its leaves wait for a slow join", async () => {
    const all = started({ join: (topic) => (topic === "rooms:slow" ? new Promise(() => {}) : { ok: {} }) })
    const { send, lose } = await all.client()
    send(join("rooms:slow"), ...TOPICS.slice(1).map((topic) => push(topic, "phx_leave")))
    lose()
    await all.ended()
    // It has not left the first one.
    expect(all.present()).toEqual(TOPICS.slice(0, 1))
  })

  test("if it reads too slowly, and its leaves wait for a slow join", async () => {
    const all = started(
      { join: (topic) => (topic === "rooms:slow" ? new Promise(() => {}) : { ok: {} }) },
      { maxBufferedBytes: 1_000 },
    )
    const { send } = await all.client()
    send(join("rooms:slow"), ...TOPICS.slice(1).map((topic) => push(topic, "phx_leave")))
    for (let sent = 0; sent < 10; sent += 1) all.server.broadcast("rooms:0", "news", { text: "x".repeat(500) })
    await all.ended()
    expect(all.counters()["slow_consumers"]).toBe(1)
    expect(all.present()).toEqual(TOPICS.slice(0, 1))
  })

  test.each([
    ["of the join that is not answered yet", "rooms:0", []],
    ["of an earlier join", "earlier", ["rooms:0"]],
  ])("if `join` has tracked it, and the leave is %s", async (_which, joinRef, present) => {
    const { all, client, answer } = await joining()
    client.send([joinRef, "2", "rooms:0", "phx_leave", {}])
    client.lose()
    answer()
    await until(() => all.counters()["failed_joins"] === 1)
    expect(all.present()).toEqual(present)
  })

  test("but not if the leave is of an earlier join", async () => {
    const all = started()
    const { send, lose } = await all.client()
    send(...TOPICS.map((topic): Frame => ["earlier", "2", topic, "phx_leave", {}]))
    lose()
    await all.ended()
    expect(all.present()).toEqual(TOPICS)
  })

  test("over a WebSocket, whose last bytes are the leaves", async () => {
    const { client, server } = await serve((made) => route(made))
    const { socket } = await client()
    socket.burst(TOPICS.map((topic) => JSON.stringify(join(topic))))
    await until(() => TOPICS.every((topic) => server.presence.get(topic, KEY) !== undefined))
    socket.burst(TOPICS.map((topic) => JSON.stringify(push(topic, "phx_leave"))))
    socket.raw.end()
    await until(() => server.stats().channels === 0 && server.stats().connections === 0)
    expect(server.stats().trackerRows).toBe(0)
  })
})

describe("a kick ends the presence, although the connection is lost", () => {
  test.each(["kick", "stop"] as const)("while the handler that calls %s is still running", async (how) => {
    let isRunning = false
    const all = started({
      on: {
        async out(_payload, channel) {
          isRunning = true
          if (how === "kick") channel.kick("out")
          else channel.stop()
          await new Promise(() => {})
        },
      },
    })
    const { send, lose } = await all.client(["rooms:0"])
    send(push("rooms:0", "out"))
    await until(() => isRunning)
    lose()
    await all.ended()
    expect(all.present()).toEqual([])
  })
})

describe("a connection that the server closes because of what the client has sent is not lost", () => {
  test.each<[how: string, send: (client: Awaited<ReturnType<Awaited<ReturnType<typeof serve>>["client"]>>) => void]>([
    ["a frame that is too large", ({ socket }) => socket.send("x".repeat(4_000))],
    ["a frame without a mask", ({ socket }) => socket.malformed(Buffer.from("[]"), { opcode: 1, mask: false })],
    ["text that is not UTF-8", ({ socket }) => socket.malformed(Uint8Array.of(0xff), { opcode: 1 })],
    ["a frame of an unknown type", ({ socket }) => socket.malformed(Uint8Array.of(1), { opcode: 5 })],
    ["text that is no message", ({ socket }) => socket.send("nonsense")],
  ])("%s", async (_how, send) => {
    const { client, server, reached } = await serve((made) => route(made), {
      maxFrameBytes: 2_000,
    })
    const one = await client()
    one.socket.send(JSON.stringify(join("rooms:0")))
    await until(() => server.presence.get("rooms:0", KEY) !== undefined)
    send(one)
    await reached("leaves", 1)
    expect(server.presence.get("rooms:0", KEY)).toBeUndefined()
    expect(server.stats().counters["kept_presences"]).toBe(0)
  })
})

describe("a message that is malformed ends the presences, although the connection is lost", () => {
  test("before the message had its turn", async () => {
    const all = started({ on: { noop() {} } })
    const { send, sendText, lose } = await all.client()
    send(...TOPICS.map((topic) => push(topic, "noop")))
    sendText("nonsense")
    lose()
    await all.ended()
    expect(all.counters()).toMatchObject({ bad_frames: 1, kept_presences: 0 })
    expect(all.present()).toEqual([])
  })

  test("while the message waits for a slow join", async () => {
    const all = started({ join: (topic) => (topic === "rooms:slow" ? new Promise(() => {}) : { ok: {} }) })
    const { send, sendText, lose } = await all.client()
    send(join("rooms:slow"))
    sendText("nonsense")
    lose()
    await all.ended()
    expect(all.present()).toEqual([])
  })
})

test("a client that reads too slowly is lost, whether its frames wait in the network or for a slow join", async () => {
  const all = started(
    { join: (topic) => (topic === "rooms:slow" ? new Promise(() => {}) : { ok: {} }) },
    { maxBufferedBytes: 1_000 },
  )
  const { send } = await all.client(["rooms:0"])
  send(join("rooms:slow"))
  for (let sent = 0; sent < 10; sent += 1) all.server.broadcast("rooms:0", "news", { text: "x".repeat(500) })
  await all.ended()
  expect(all.counters()).toMatchObject({ slow_consumers: 1, kept_presences: 1 })
  expect(all.present()).toEqual(["rooms:0"])
})

test("a presence that `join` has tracked stays if the connection is lost before the join is answered", async () => {
  const { all, client, answer } = await joining()
  client.lose()
  answer()
  await until(() => all.counters()["failed_joins"] === 1)
  expect(all.present()).toEqual(["rooms:0"])
})

test("a presence that is removed in `left` is not kept, and takes no place of the others", async () => {
  const all = started(
    {
      left: (channel) => {
        if (channel.topic === "rooms:0") all.server.presence.untrack(channel)
      },
    },
    { maxKeptPresences: 1 },
  )
  const removed = await all.client(["rooms:0"])
  removed.lose()
  await all.ended()
  expect(all.present()).toEqual([])
  const kept = await all.client(["rooms:1"])
  kept.lose()
  await all.ended()
  expect(all.present()).toEqual(["rooms:1"])
})
