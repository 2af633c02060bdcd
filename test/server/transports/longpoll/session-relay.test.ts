import { describe, expect, it } from "vitest"
import { LocalBus } from "../../../../src/pubsub/local.ts"
import type { PubSub } from "../../../../src/pubsub/pubsub.ts"
import type { ServerOptions } from "../../../../src/server/index.ts"
import { decodeRelayMessage, encodeRelayMessage } from "../../../../src/server/transports/longpoll/relay-messages.ts"
import type { RelayMessage } from "../../../../src/server/transports/longpoll/relay-messages.ts"
import { sessionTokens } from "../../../../src/server/transports/longpoll/session-token.ts"
import { clock } from "../../../support/clock.ts"
import { LongPollClient, requestLongPoll } from "../../../support/longpoll-client.ts"
import { proxied } from "../../../support/proxied-pubsub.ts"
import { ok, serve } from "../../../support/serve.ts"
import type { Served } from "../../../support/serve.ts"

// A long-poll session stays on the node that opened it. Every other node relays its client's requests to that node.

/** How many copies of a relay message arrive: 1, unless a test loses (0) or duplicates (2) it. */
type Copies = (message: RelayMessage) => number

interface Node extends Served<Record<string, unknown>> {
  readonly address: string
  /** Makes this node's bus report that another node is down. */
  reportDown(node: string): void
  copies: Copies
}

const SECRET = "shared by all nodes".padEnd(32)

/** Nodes "a" and "b" on one bus and one clock, each with rooms. The session is opened on "a"; `relayed` uses it through "b". */
async function cluster(options: ServerOptions = {}) {
  const bus = new LocalBus()
  const timers = clock()
  const [a, b] = [await node(bus, "a", { timers, ...options }), await node(bus, "b", { timers, ...options })]
  const direct = await LongPollClient.open(a.address)
  return { bus, timers, a, b, direct, relayed: direct.at(b.address) }
}

async function node(bus: LocalBus, name: string, options: ServerOptions): Promise<Node> {
  const inner = bus.join({ node: name })
  const downs = new Set<(node: string) => void>()
  const pubsub: PubSub = {
    ...proxied(inner),
    send(node, topic, bytes) {
      const message = topic === "longpoll" ? decodeRelayMessage(bytes) : undefined
      const copies = message === undefined ? 1 : served.copies(message)
      for (let copy = 0; copy < copies; copy += 1) inner.send(node, topic, bytes)
    },
    onNodeDown(listener) {
      downs.add(listener)
      return () => void downs.delete(listener)
    },
  }
  const setUp = (server: Served<Record<string, unknown>>["server"]): void => {
    server.socket("/socket", { id: () => `opened on ${name}` })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      joined(channel) {
        server.presence.track(channel, name)
        channel.push("presence_state", server.presence.list(channel.topic))
      },
      on: {
        echo: (payload) => ({ ok: payload }),
        shout: (payload, channel) => channel.broadcast("shout", payload),
      },
    })
    server.channel("slow:*", {
      join: (_topic, { ms }) => new Promise((resolve) => options.timers?.set(() => resolve({ ok: {} }), ms as number)),
    })
    server.channel("quiet:*", {
      join: () => ({ ok: {} }),
      on: { shout: (payload, channel) => channel.broadcast("shout", payload) },
    })
  }
  const standard = { pubsub, secret: SECRET, longPollWindowMs: 10_000 }
  const served: Node = Object.assign(await serve(setUp, { ...standard, ...options }), {
    address: "",
    copies: () => 1,
    reportDown(down: string) {
      for (const listener of downs) listener(down)
    },
  })
  return Object.assign(served, { address: `${served.url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0` })
}

/** Loses the first message of a kind. */
function losesFirst(kind: RelayMessage["kind"]): Copies {
  let isLost = false
  return (message) => {
    if (message.kind !== kind || isLost) return 1
    isLost = true
    return 0
  }
}

/** Resolves once a node has sent a message of a kind, and the message has arrived. */
async function hasSent(node: Node, kind: RelayMessage["kind"]): Promise<void> {
  const { copies } = node
  await new Promise<void>((resolve) => {
    node.copies = (message) => {
      if (message.kind === kind) setImmediate(resolve)
      return copies(message)
    }
  })
}

const JOIN = '["1","1","quiet:1","phx_join",{}]'
const joined = ["1", "1", "quiet:1", "phx_reply", ok()]
const shout = (n: number): string => `["1","2","quiet:1","shout",{"n":${n}}]`
const shouted = (n: number): unknown => [null, null, "quiet:1", "shout", { n }]

describe("a session on another node", () => {
  it("is posted to and polled through any node, and its messages stay in order", async () => {
    const { a, direct, relayed } = await cluster()
    expect(await relayed.batch(JOIN, shout(1), shout(2))).toEqual({ status: 200 })
    expect(await direct.post(shout(3))).toEqual({ status: 200 })
    expect(await relayed.post(shout(4))).toEqual({ status: 200 })
    expect(await relayed.poll()).toMatchObject({ status: 200, token: direct.token })
    await direct.post(shout(5))
    await relayed.post(shout(6))
    expect(await relayed.messages()).toEqual([shouted(5), shouted(6)])
    expect([a.counted.get("relayed_posts"), a.counted.get("relayed_polls")]).toEqual([3, 2])
  })

  it("answers a relayed post once the slow join in it is answered, and after a window at the latest (P23)", async () => {
    const { a, relayed, timers } = await cluster()
    const posted = async (topic: string, ms: number, passes: number): Promise<unknown> => {
      const acknowledged = hasSent(a, "acknowledge")
      const answer = relayed.post(JSON.stringify(["1", "1", topic, "phx_join", { ms }]))
      await acknowledged
      timers.advance(passes)
      return answer
    }
    expect(await posted("slow:1", 5_000, 5_000)).toEqual({ status: 200 })
    expect(await posted("slow:2", 20_000, 10_000)).toEqual({ status: 408 })
  })

  it("receives binary messages of a relayed post", async () => {
    const { relayed } = await cluster()
    const push = Buffer.concat([Buffer.from([0, 1, 1, 7, 4]), Buffer.from("12rooms:1echo"), Buffer.from([1, 2, 255])])
    expect(await relayed.batch(JOIN.replace("quiet", "rooms"), push.toString("base64"), JOIN)).toEqual({ status: 200 })
    expect(await relayed.messages()).toContainEqual(joined)
  })

  it("answers a relayed poll as soon as a message is sent", async () => {
    const { a, direct, relayed } = await cluster()
    await direct.post(JOIN)
    await direct.messages()
    const waiting = relayed.messages()
    await a.reached("relayed_polls", 1)
    await direct.post(shout(1))
    expect(await waiting).toEqual([shouted(1)])
  })

  it("answers a relayed poll with 204 after a window without messages, and keeps later messages for the next poll (P22)", async () => {
    const { a, b, direct, relayed, timers } = await cluster()
    await direct.post(JOIN)
    await direct.messages()
    const waiting = relayed.poll()
    await b.reached("polls", 1)
    await a.reached("relayed_polls", 1)
    timers.advance(10_000)
    expect(await waiting).toEqual({ status: 204, token: direct.token, messages: [] })
    await direct.post(shout(1))
    expect(await relayed.messages()).toEqual([shouted(1)])
  })

  it("is kept alive by polls through any node, and ends one and a half windows after the last one (P24)", async () => {
    const { a, direct, relayed, timers } = await cluster()
    await direct.post(JOIN)
    for (let n = 0; n < 3; n += 1) {
      await direct.post(shout(n))
      timers.advance(9_000)
      expect((await relayed.poll()).status).toBe(200)
    }
    timers.advance(15_300)
    expect(a.counted.get("idle_timeouts")).toBe(1)
    expect(await relayed.post(shout(9))).toEqual({ status: 410 })
  })

  it("that an unreadable relayed post has ended answers 408, then 410 with a new session (recorded case 10)", async () => {
    const { b, direct, relayed } = await cluster()
    expect(await relayed.post("{nope")).toEqual({ status: 408 })
    expect(await relayed.post(JOIN)).toEqual({ status: 410 })
    const { status, token } = await relayed.poll()
    expect([status, token]).toEqual([410, expect.not.stringMatching(direct.token)])
    expect(sessionTokens(SECRET, "").read(token as string)).toMatchObject({ node: b.server.endpoint.node })
  })

  it("that its server ends answers its relayed poll with 204 at once, and the next request with 410", async () => {
    const { a, direct, relayed } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    a.server.disconnect("opened on a")
    expect(await waiting).toEqual({ status: 204, token: direct.token, messages: [] })
    expect(await relayed.post(JOIN)).toEqual({ status: 410 })
  })

  it("receives nothing of a body that the relaying node refuses with 413 or 400", async () => {
    const { a, b, relayed } = await cluster({ maxFrameBytes: 1_000 })
    expect(await relayed.post("x".repeat(1_001))).toEqual({ status: 413 })
    expect(await relayed.batch(JOIN, "@@@@")).toEqual({ status: 400 })
    expect(a.counted.get("relayed_posts")).toBeUndefined()
    expect([b.counted.get("oversized_frames"), b.counted.get("bad_frames")]).toEqual([1, 1])
    expect(await relayed.post(JOIN)).toEqual({ status: 200 })
  })

  it("is unknown (410) to a server without a bus and to a node with another secret", async () => {
    const { direct } = await cluster()
    const alone = await serve((server) => server.socket("/socket"), { secret: SECRET })
    const stranger = await node(new LocalBus(), "c", { secret: "another".padEnd(32) })
    for (const { url } of [alone, stranger]) {
      const address = `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
      expect(await direct.at(address).post(JOIN)).toEqual({ status: 410 })
    }
  })
})

describe("presence over a session on another node", () => {
  it("agrees with what a client of the relaying node sees, until the session ends", async () => {
    const bus = new LocalBus()
    const [a, b] = [await node(bus, "a", {}), await node(bus, "b", {})]
    const direct = await LongPollClient.open(a.address)
    const relayed = direct.at(b.address)
    await relayed.post('["1","1","rooms:1","phx_join",{}]')
    const neighbour = await b.client()
    await neighbour.join("rooms:1")
    await expect.poll(() => Object.keys(b.server.presence.list("rooms:1")).sort()).toEqual(["a", "b"])
    const seen: unknown[] = []
    while (!JSON.stringify(seen).includes('"b"')) seen.push(...(await relayed.messages()))
    a.server.disconnect("opened on a")
    await expect.poll(() => Object.keys(b.server.presence.list("rooms:1"))).toEqual(["b"])
  })
})

describe("a client that disconnects while its relayed poll waits", () => {
  it("gets the messages sent since then in its next poll, through either node", async () => {
    const { a, b, direct, relayed } = await cluster()
    await direct.post(JOIN)
    await direct.messages()
    const abort = new AbortController()
    const lost = relayed.poll({ signal: abort.signal })
    await a.reached("relayed_polls", 1)
    const cancelled = hasSent(b, "cancel")
    abort.abort()
    await expect(lost).rejects.toThrow("aborted")
    await cancelled
    for (const n of [1, 2]) await direct.post(shout(n))
    expect(await relayed.messages()).toEqual([shouted(1), shouted(2)])
    await relayed.post(shout(3))
    expect(await direct.messages()).toEqual([shouted(3)])
  })

  it("gets them even if an answer with messages was lost between the nodes", async () => {
    const { a, b, direct, relayed } = await cluster()
    await direct.post(JOIN)
    await direct.messages()
    const abort = new AbortController()
    const lost = relayed.poll({ signal: abort.signal })
    await a.reached("relayed_polls", 1)
    a.copies = losesFirst("answer")
    await direct.post(shout(1))
    const cancelled = hasSent(b, "cancel")
    abort.abort()
    await expect(lost).rejects.toThrow("aborted")
    await cancelled
    await direct.post(shout(2))
    expect(await relayed.messages()).toEqual([shouted(1), shouted(2)])
    expect(a.counted.get("relay_timeouts")).toBeUndefined()
  })
})

describe("a node that does not answer", () => {
  it("lets a relayed post be answered with 410 after two seconds (P24)", async () => {
    const { a, b, relayed, timers } = await cluster()
    a.copies = () => 0
    const posting = relayed.post(JOIN)
    await a.reached("relayed_posts", 1)
    timers.advance(2_000)
    expect(await posting).toEqual({ status: 410 })
    expect(b.counted.get("relay_timeouts")).toBe(1)
  })

  it("lets a relayed poll be answered with 410 after two seconds, with a new session that works", async () => {
    const { a, b, direct, relayed, timers } = await cluster()
    a.copies = () => 0
    const polling = relayed.poll()
    await a.reached("relayed_polls", 1)
    timers.advance(2_000)
    const { status, token, messages } = await polling
    expect([status, messages]).toEqual([410, []])
    const renewed = new LongPollClient(b.address, token as string)
    await renewed.post(JOIN)
    expect(await renewed.messages()).toEqual([joined])
    expect(token).not.toBe(direct.token)
  })

  it("ends a session whose client was answered with 410, so that no presence is left behind", async () => {
    const { a, b, relayed, timers } = await cluster()
    await relayed.post('["1","1","rooms:1","phx_join",{}]')
    expect(Object.keys(a.server.presence.list("rooms:1"))).toContain("a")
    b.copies = losesFirst("poll")
    const polling = relayed.poll()
    await b.reached("polls", 1)
    timers.advance(2_000)
    expect((await polling).status).toBe(410)
    expect(Object.keys(a.server.presence.list("rooms:1"))).not.toContain("a")
  })

  it("may be one that never existed: its clients get 410", async () => {
    const { b, timers } = await cluster()
    const token = sessionTokens(SECRET, "unknown").issue("unknown")
    const before = timers.pending
    const posting = new LongPollClient(b.address, token).post(JOIN)
    await expect.poll(() => timers.pending).toBeGreaterThan(before)
    await expect.poll(() => (timers.advance(1_000), b.counted.get("relay_timeouts"))).toBe(1)
    expect(await posting).toEqual({ status: 410 })
  })

  it("makes its waiting relayed poll end at once with 410 and a new session, if the bus reports that it is down", async () => {
    const { a, b, direct, relayed } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    b.reportDown("another node")
    b.reportDown("a")
    expect(await waiting).toEqual({ status: 410, token: expect.not.stringMatching(direct.token), messages: [] })
  })

  it("makes its waiting relayed poll end with 204 after the window, if the bus does not report that it is down", async () => {
    const { a, b, direct, relayed, timers } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    a.copies = () => 0
    timers.advance(10_000)
    expect(await waiting).toEqual({ status: 204, token: direct.token, messages: [] })
    const next = relayed.poll()
    await b.reached("polls", 2)
    await a.reached("relayed_polls", 2)
    timers.advance(2_000)
    expect((await next).status).toBe(410)
  })
})

describe("a node that closes", () => {
  it("ends its sessions at all nodes: a waiting poll is answered with 204, the next one with 410", async () => {
    const { a, relayed, timers, b } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    const closing = a.server.close()
    expect((await waiting).status).toBe(204)
    await closing
    const next = relayed.poll()
    await b.reached("polls", 2)
    timers.advance(2_000)
    expect((await next).status).toBe(410)
  })

  it("answers the waiting polls that it relays; their sessions go on through other nodes", async () => {
    const { a, b, direct, relayed } = await cluster()
    await direct.post(JOIN)
    await direct.messages()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    await b.server.close()
    expect(await waiting).toEqual({ status: 204, token: direct.token, messages: [] })
    await direct.post(shout(1))
    expect(await direct.messages()).toEqual([shouted(1)])
  })

  it("answers a relayed post with 410 instead of waiting for its node", async () => {
    const { a, b, relayed } = await cluster()
    a.copies = () => 0
    const posting = relayed.post(JOIN)
    await a.reached("relayed_posts", 1)
    await b.server.close()
    expect(await posting).toEqual({ status: 410 })
  })
})

describe("a bus that duplicates and loses messages", () => {
  it("delivers a duplicated post once, and answers a duplicated poll once", async () => {
    const { a, b, direct, relayed } = await cluster()
    b.copies = a.copies = () => 2
    expect(await relayed.batch(JOIN, shout(1))).toEqual({ status: 200 })
    expect(await relayed.post(shout(2))).toEqual({ status: 200 })
    expect(await relayed.messages()).toEqual([joined, shouted(1), shouted(2)])
    const waiting = relayed.messages()
    await a.reached("relayed_polls", 2)
    await direct.post(shout(3))
    expect(await waiting).toEqual([shouted(3)])
    expect([a.counted.get("relayed_posts"), a.counted.get("relayed_polls")]).toEqual([2, 2])
  })

  it.each([
    ["an answer with messages", "a", "answer"],
    ["the confirmation of a delivery", "b", "delivered"],
  ] as const)(
    "ends a session when it loses %s, so that its client gets the whole state in a new one",
    async (_what, at, kind) => {
      const { a, b, relayed, timers } = await cluster()
      await relayed.post('["1","1","rooms:1","phx_join",{}]')
      ;(at === "a" ? a : b).copies = losesFirst(kind)
      const polling = relayed.poll()
      await a.reached("relayed_polls", 1)
      if (kind === "delivered") await polling
      await a.reached("frames_out", 2)
      timers.advance(2_000)
      expect(a.counted.get("relay_timeouts")).toBe(1)
      expect(Object.keys(a.server.presence.list("rooms:1"))).not.toContain("a")
      timers.advance(8_000)
      expect((await polling).status).toBe(kind === "delivered" ? 200 : 204)
      expect(await relayed.post(JOIN)).toEqual({ status: 410 })
    },
  )

  it("makes the next poll wait until it is known whether the messages before were delivered", async () => {
    const { a, b, direct, relayed } = await cluster()
    await relayed.batch(JOIN, shout(1))
    let confirm!: () => void
    const { send } = b.server.endpoint.pubsub as PubSub
    b.copies = (message) => {
      if (message.kind !== "delivered") return 1
      confirm = () => send.call(b.server.endpoint.pubsub, "a", "longpoll", encodeRelayMessage(message))
      b.copies = () => 1
      return 0
    }
    expect(await relayed.messages()).toEqual([joined, shouted(1)])
    const next = direct.messages()
    await a.reached("polls", 1)
    await direct.post(shout(2))
    let isAnswered = false
    void next.then(() => (isAnswered = true))
    await direct.post(shout(3))
    expect(isAnswered).toBe(false)
    confirm()
    expect(await next).toEqual([shouted(2), shouted(3)])
  })
})

describe("a relay message", () => {
  it("has fixed words and a fixed form on the bus, because nodes of other releases read it", () => {
    const reference = { request: "r", session: "s" }
    const messages: readonly (readonly [RelayMessage, string])[] = [
      [{ kind: "poll", ...reference }, '["longpoll",1,"poll","r","s"]'],
      [{ kind: "delivered", ...reference }, '["longpoll",1,"taken","r","s"]'],
      [{ kind: "cancel", ...reference }, '["longpoll",1,"cancel","r","s"]'],
      [{ kind: "abandon", ...reference }, '["longpoll",1,"abandon","r","s"]'],
      [{ kind: "acknowledge", ...reference }, '["longpoll",1,"here","r","s"]'],
      [
        { kind: "post", ...reference, messages: ["[é]", Buffer.from([0, 127, 255])] },
        '["longpoll",1,"post","r","s",["[é]",["AH//"]]]',
      ],
      [{ kind: "answer", ...reference, status: 200, messages: ["a"] }, '["longpoll",1,"answer","r","s",200,["a"]]'],
    ]
    for (const [message, text] of messages) {
      const bytes = encodeRelayMessage(message)
      expect(Buffer.from(bytes).toString()).toBe(text)
      expect(decodeRelayMessage(bytes)).toEqual(message)
    }
  })
})

describe("an invalid relay message", () => {
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

  it("is counted as bus_drops and harms no session", async () => {
    const { a, bus, relayed } = await cluster()
    const stranger = bus.join({ node: "stranger" })
    const nonsense = [
      new Uint8Array(),
      new Uint8Array([0xff, 0xfe]),
      ...[null, 7, {}, [], ["longpoll"], ["other", 1, "poll", "1", "s"], ["longpoll", 2, "poll", "1", "s"]].map(text),
      ...[
        ["nothing", "1", "s"],
        ["poll", "1".repeat(65), "s"],
        ["poll", 1, "s"],
        ["poll", "1"],
        ["post", "1", "s"],
        ["post", "1", "s", {}],
      ].map((body) => text(["longpoll", 1, ...body])),
      ...[
        ["post", "1", "s", [1]],
        ["post", "1", "s", [[]]],
        ["answer", "1", "s", 200],
        ["__proto__", "1", "s"],
      ].map((body) => text(["longpoll", 1, ...body])),
      ...[
        ["answer", "1", "s", 999, []],
        ["answer", "1", "s", 200, [["AA"]]],
        ["answer", "1", "s", 200, [null]],
      ].map((body) => text(["longpoll", 1, ...body])),
    ]
    for (const bytes of nonsense) stranger.send("a", "longpoll", bytes)
    await a.reached("bus_drops", nonsense.length)
    expect(await relayed.post(JOIN)).toEqual({ status: 200 })
    expect(a.counted.get("bus_drops")).toBe(nonsense.length)
  })

  it("is ignored if it refers to a request or session that does not exist", async () => {
    const { a, b, bus, direct, relayed } = await cluster()
    const stranger = bus.join({ node: "stranger" })
    const { session } = sessionTokens(SECRET, "").read(direct.token) ?? { session: "" }
    const reference = { request: "unknown", session }
    const messages: RelayMessage[] = [
      { kind: "delivered", ...reference },
      { kind: "cancel", ...reference },
      { kind: "acknowledge", ...reference },
      { kind: "answer", ...reference, status: 200, messages: [] },
      { kind: "abandon", request: "1", session: "unknown" },
    ]
    for (const to of ["a", "b"])
      for (const message of messages) stranger.send(to, "longpoll", encodeRelayMessage(message))
    expect(await requestLongPoll(`${b.address}&token=`)).toMatchObject({ status: 410 })
    await relayed.batch(JOIN, shout(1))
    expect(await relayed.messages()).toEqual([joined, shouted(1)])
    expect([a.counted.get("bus_drops"), b.counted.get("bus_drops")]).toEqual([undefined, undefined])
  })
})
