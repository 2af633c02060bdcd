import { describe, expect, it } from "vitest"
import { LocalBus } from "../../../../src/pubsub/local.ts"
import type { PubSub } from "../../../../src/pubsub/pubsub.ts"
import type { ServerOptions } from "../../../../src/server/index.ts"
import { decodeRelayMessage, encodeRelayMessage } from "../../../../src/server/transports/longpoll/relay-messages.ts"
import type { RelayMessage } from "../../../../src/server/transports/longpoll/relay-messages.ts"
import { sessionTokens } from "../../../../src/server/transports/longpoll/session-token.ts"
import { clock } from "../../../support/clock.ts"
import { LongPollClient, askLongPoll } from "../../../support/longpoll-client.ts"
import { proxied } from "../../../support/proxied-pubsub.ts"
import { ok, serve } from "../../../support/serve.ts"
import type { Served } from "../../../support/serve.ts"

// A long-poll session stays on the node where it was born, and any node relays to it.

/** How often what a node says about sessions arrives: once, unless a test has it lost or doubled. */
type Fate = (message: RelayMessage) => number

interface Node extends Served<Record<string, unknown>> {
  readonly address: string
  /** Has other nodes hear that this one sees a node die. */
  sawDie(node: string): void
  fate: Fate
}

const SECRET = "shared by all nodes".padEnd(32)

/** Nodes "a" and "b" on one bus and one clock, each with a room; sessions are born on "a" and asked for at "b". */
async function cluster(options: ServerOptions = {}) {
  const bus = new LocalBus()
  const timers = clock()
  const [a, b] = [await node(bus, "a", { timers, ...options }), await node(bus, "b", { timers, ...options })]
  const born = await LongPollClient.open(a.address)
  return { bus, timers, a, b, born, relayed: born.at(b.address) }
}

async function node(bus: LocalBus, name: string, options: ServerOptions): Promise<Node> {
  const inner = bus.join({ node: name })
  const downs = new Set<(node: string) => void>()
  const pubsub: PubSub = {
    ...proxied(inner),
    send(node, topic, bytes) {
      const message = topic === "longpoll" ? decodeRelayMessage(bytes) : undefined
      const copies = message === undefined ? 1 : served.fate(message)
      for (let copy = 0; copy < copies; copy += 1) inner.send(node, topic, bytes)
    },
    onNodeDown(listener) {
      downs.add(listener)
      return () => void downs.delete(listener)
    },
  }
  const setUp = (server: Served<Record<string, unknown>>["server"]): void => {
    server.socket("/socket", { id: () => `born on ${name}` })
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
    fate: () => 1,
    sawDie(gone: string) {
      for (const listener of downs) listener(gone)
    },
  })
  return Object.assign(served, { address: `${served.url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0` })
}

/** Loses the first of a kind. */
function loses(kind: RelayMessage["kind"], times = 1): Fate {
  let left = times
  return (message) => (message.kind === kind && (left -= 1) >= 0 ? 0 : 1)
}

/** Resolves once a node has said something of a kind, and it has arrived. */
async function said(node: Node, kind: RelayMessage["kind"]): Promise<void> {
  const { fate } = node
  await new Promise<void>((resolve) => {
    node.fate = (message) => {
      if (message.kind === kind) setImmediate(resolve)
      return fate(message)
    }
  })
}

const JOIN = '["1","1","quiet:1","phx_join",{}]'
const joined = ["1", "1", "quiet:1", "phx_reply", ok()]
const shout = (n: number): string => `["1","2","quiet:1","shout",{"n":${n}}]`
const shouted = (n: number): unknown => [null, null, "quiet:1", "shout", { n }]

describe("a session of another node", () => {
  it("is posted to and polled through any node, in order", async () => {
    const { a, born, relayed } = await cluster()
    expect(await relayed.batch(JOIN, shout(1), shout(2))).toEqual({ status: 200 })
    expect(await born.post(shout(3))).toEqual({ status: 200 })
    expect(await relayed.post(shout(4))).toEqual({ status: 200 })
    expect(await relayed.poll()).toMatchObject({ status: 200, token: born.token })
    await born.post(shout(5))
    await relayed.post(shout(6))
    expect(await relayed.messages()).toEqual([shouted(5), shouted(6)])
    expect([a.counted.get("relayed_posts"), a.counted.get("relayed_polls")]).toEqual([3, 2])
  })

  it("answers what was posted elsewhere once a slow join in it is answered, a window at most (P23)", async () => {
    const { a, relayed, timers } = await cluster()
    const posted = async (topic: string, ms: number, passes: number): Promise<unknown> => {
      const heard = said(a, "here")
      const answer = relayed.post(JSON.stringify(["1", "1", topic, "phx_join", { ms }]))
      await heard
      timers.advance(passes)
      return answer
    }
    expect(await posted("slow:1", 5_000, 5_000)).toEqual({ status: 200 })
    expect(await posted("slow:2", 20_000, 10_000)).toEqual({ status: 408 })
  })

  it("takes bytes that were posted elsewhere", async () => {
    const { relayed } = await cluster()
    const push = Buffer.concat([Buffer.from([0, 1, 1, 7, 4]), Buffer.from("12rooms:1echo"), Buffer.from([1, 2, 255])])
    expect(await relayed.batch(JOIN.replace("quiet", "rooms"), push.toString("base64"), JOIN)).toEqual({ status: 200 })
    expect(await relayed.messages()).toContainEqual(joined)
  })

  it("answers a poll that waits elsewhere as soon as something comes", async () => {
    const { a, born, relayed } = await cluster()
    await born.post(JOIN)
    await born.messages()
    const waiting = relayed.messages()
    await a.reached("relayed_polls", 1)
    await born.post(shout(1))
    expect(await waiting).toEqual([shouted(1)])
  })

  it("answers a poll elsewhere with 204 when nothing comes for a window, and keeps what comes then (P22)", async () => {
    const { a, b, born, relayed, timers } = await cluster()
    await born.post(JOIN)
    await born.messages()
    const waiting = relayed.poll()
    await b.reached("polls", 1)
    await a.reached("relayed_polls", 1)
    timers.advance(10_000)
    expect(await waiting).toEqual({ status: 204, token: born.token, messages: [] })
    await born.post(shout(1))
    expect(await relayed.messages()).toEqual([shouted(1)])
  })

  it("lives as long as it is polled, wherever that is, and is over one and a half windows later (P24)", async () => {
    const { a, born, relayed, timers } = await cluster()
    await born.post(JOIN)
    for (let n = 0; n < 3; n += 1) {
      await born.post(shout(n))
      timers.advance(9_000)
      expect((await relayed.poll()).status).toBe(200)
    }
    timers.advance(15_300)
    expect(a.counted.get("idle_timeouts")).toBe(1)
    expect(await relayed.post(shout(9))).toEqual({ status: 410 })
  })

  it("that has ended by what was posted elsewhere says so there: 408, then 410 and a new one (recorded case 10)", async () => {
    const { b, born, relayed } = await cluster()
    expect(await relayed.post("{nope")).toEqual({ status: 408 })
    expect(await relayed.post(JOIN)).toEqual({ status: 410 })
    const { status, token } = await relayed.poll()
    expect([status, token]).toEqual([410, expect.not.stringMatching(born.token)])
    expect(sessionTokens(SECRET, "").read(token as string)).toMatchObject({ node: b.server.endpoint.node })
  })

  it("ended by its server ends the poll that waits elsewhere at once; the next request learns of it", async () => {
    const { a, born, relayed } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    a.server.disconnect("born on a")
    expect(await waiting).toEqual({ status: 204, token: born.token, messages: [] })
    expect(await relayed.post(JOIN)).toEqual({ status: 410 })
  })

  it("is not troubled by a body that the node refuses to which it came: 413, 400", async () => {
    const { a, b, relayed } = await cluster({ maxFrameBytes: 1_000 })
    expect(await relayed.post("x".repeat(1_001))).toEqual({ status: 413 })
    expect(await relayed.batch(JOIN, "@@@@")).toEqual({ status: 400 })
    expect(a.counted.get("relayed_posts")).toBeUndefined()
    expect([b.counted.get("oversized_frames"), b.counted.get("bad_frames")]).toEqual([1, 1])
    expect(await relayed.post(JOIN)).toEqual({ status: 200 })
  })

  it("is nobody's for a server that is alone, and for one of another secret", async () => {
    const { born } = await cluster()
    const alone = await serve((server) => server.socket("/socket"), { secret: SECRET })
    const stranger = await node(new LocalBus(), "c", { secret: "another".padEnd(32) })
    for (const { url } of [alone, stranger]) {
      const address = `${url.replace("ws", "http")}/socket/longpoll?vsn=2.0.0`
      expect(await born.at(address).post(JOIN)).toEqual({ status: 410 })
    }
  })
})

describe("presence over a session of another node", () => {
  it("is in step with a client of the node that relays, to its end", async () => {
    const bus = new LocalBus()
    const [a, b] = [await node(bus, "a", {}), await node(bus, "b", {})]
    const born = await LongPollClient.open(a.address)
    const relayed = born.at(b.address)
    await relayed.post('["1","1","rooms:1","phx_join",{}]')
    const neighbour = await b.client()
    await neighbour.join("rooms:1")
    await expect.poll(() => Object.keys(b.server.presence.list("rooms:1")).sort()).toEqual(["a", "b"])
    const seen: unknown[] = []
    while (!JSON.stringify(seen).includes('"b"')) seen.push(...(await relayed.messages()))
    a.server.disconnect("born on a")
    await expect.poll(() => Object.keys(b.server.presence.list("rooms:1"))).toEqual(["b"])
  })
})

describe("a client that goes away while its poll waits elsewhere", () => {
  it("gets what came meanwhile in its next poll, wherever that is", async () => {
    const { a, b, born, relayed } = await cluster()
    await born.post(JOIN)
    await born.messages()
    const impatient = new AbortController()
    const lost = relayed.poll({ signal: impatient.signal })
    await a.reached("relayed_polls", 1)
    impatient.abort()
    await expect(lost).rejects.toThrow("aborted")
    await said(b, "cancel")
    for (const n of [1, 2]) await born.post(shout(n))
    expect(await relayed.messages()).toEqual([shouted(1), shouted(2)])
    await relayed.post(shout(3))
    expect(await born.messages()).toEqual([shouted(3)])
  })

  it("gets it although an answer was under way to it", async () => {
    const { a, b, born, relayed } = await cluster()
    await born.post(JOIN)
    await born.messages()
    const impatient = new AbortController()
    const lost = relayed.poll({ signal: impatient.signal })
    await a.reached("relayed_polls", 1)
    a.fate = loses("answer")
    await born.post(shout(1))
    impatient.abort()
    await expect(lost).rejects.toThrow("aborted")
    await said(b, "cancel")
    await born.post(shout(2))
    expect(await relayed.messages()).toEqual([shouted(1), shouted(2)])
    expect(a.counted.get("relay_timeouts")).toBeUndefined()
  })
})

describe("a node that is not heard", () => {
  it("costs a post two seconds, then it is told 410 (P24)", async () => {
    const { a, b, relayed, timers } = await cluster()
    a.fate = () => 0
    const posting = relayed.post(JOIN)
    await a.reached("relayed_posts", 1)
    timers.advance(2_000)
    expect(await posting).toEqual({ status: 410 })
    expect(b.counted.get("relay_timeouts")).toBe(1)
  })

  it("costs a poll as much, then its client has a new session", async () => {
    const { a, b, born, relayed, timers } = await cluster()
    a.fate = () => 0
    const polling = relayed.poll()
    await a.reached("relayed_polls", 1)
    timers.advance(2_000)
    const { status, token, messages } = await polling
    expect([status, messages]).toEqual([410, []])
    const renewed = new LongPollClient(b.address, token as string)
    await renewed.post(JOIN)
    expect(await renewed.messages()).toEqual([joined])
    expect(token).not.toBe(born.token)
  })

  it("loses a session that its client has been told to be gone: nobody is left behind", async () => {
    const { a, b, relayed, timers } = await cluster()
    await relayed.post('["1","1","rooms:1","phx_join",{}]')
    expect(Object.keys(a.server.presence.list("rooms:1"))).toContain("a")
    b.fate = loses("poll")
    const polling = relayed.poll()
    await b.reached("polls", 1)
    timers.advance(2_000)
    expect((await polling).status).toBe(410)
    expect(Object.keys(a.server.presence.list("rooms:1"))).not.toContain("a")
  })

  it("may never have been", async () => {
    const { b, timers } = await cluster()
    const token = sessionTokens(SECRET, "nobody").issue("nothing")
    const before = timers.pending
    const posting = new LongPollClient(b.address, token).post(JOIN)
    await expect.poll(() => timers.pending).toBeGreaterThan(before)
    await expect.poll(() => (timers.advance(1_000), b.counted.get("relay_timeouts"))).toBe(1)
    expect(await posting).toEqual({ status: 410 })
  })

  it("that is seen to die while a poll waits for it has that poll's client begin anew at once", async () => {
    const { a, b, born, relayed } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    b.sawDie("somebody else")
    b.sawDie("a")
    expect(await waiting).toEqual({ status: 410, token: expect.not.stringMatching(born.token), messages: [] })
  })

  it("that dies unseen while a poll waits for it has that poll's client wait out its window", async () => {
    const { a, b, born, relayed, timers } = await cluster()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    a.fate = () => 0
    timers.advance(10_000)
    expect(await waiting).toEqual({ status: 204, token: born.token, messages: [] })
    const next = relayed.poll()
    await b.reached("polls", 2)
    await a.reached("relayed_polls", 2)
    timers.advance(2_000)
    expect((await next).status).toBe(410)
  })
})

describe("a node that closes", () => {
  it("ends its sessions wherever their clients are: 204 to a poll that waits, and 410 then", async () => {
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

  it("ends the polls that wait with it for sessions of others; these go on elsewhere", async () => {
    const { a, b, born, relayed } = await cluster()
    await born.post(JOIN)
    await born.messages()
    const waiting = relayed.poll()
    await a.reached("relayed_polls", 1)
    await b.server.close()
    expect(await waiting).toEqual({ status: 204, token: born.token, messages: [] })
    await born.post(shout(1))
    expect(await born.messages()).toEqual([shouted(1)])
  })

  it("does not wait for the answer to a post", async () => {
    const { a, b, relayed } = await cluster()
    a.fate = () => 0
    const posting = relayed.post(JOIN)
    await a.reached("relayed_posts", 1)
    await b.server.close()
    expect(await posting).toEqual({ status: 410 })
  })
})

describe("a bus that doubles and loses", () => {
  it("delivers a doubled post once, and answers a doubled poll once", async () => {
    const { a, b, born, relayed } = await cluster()
    b.fate = a.fate = () => 2
    expect(await relayed.batch(JOIN, shout(1))).toEqual({ status: 200 })
    expect(await relayed.post(shout(2))).toEqual({ status: 200 })
    expect(await relayed.messages()).toEqual([joined, shouted(1), shouted(2)])
    const waiting = relayed.messages()
    await a.reached("relayed_polls", 2)
    await born.post(shout(3))
    expect(await waiting).toEqual([shouted(3)])
    expect([a.counted.get("relayed_posts"), a.counted.get("relayed_polls")]).toEqual([2, 2])
  })

  it.each([
    ["an answer with messages", "a", "answer"],
    ["the word that they were passed on", "b", "taken"],
  ] as const)("ends a session when it loses %s, so that its client asks for all there is", async (_what, at, kind) => {
    const { a, b, relayed, timers } = await cluster()
    await relayed.post('["1","1","rooms:1","phx_join",{}]')
    ;(at === "a" ? a : b).fate = loses(kind)
    const polling = relayed.poll()
    await a.reached("relayed_polls", 1)
    if (kind === "taken") await polling
    await a.reached("frames_out", 2)
    timers.advance(2_000)
    expect(a.counted.get("relay_timeouts")).toBe(1)
    expect(Object.keys(a.server.presence.list("rooms:1"))).not.toContain("a")
    timers.advance(8_000)
    expect((await polling).status).toBe(kind === "taken" ? 200 : 204)
    expect(await relayed.post(JOIN)).toEqual({ status: 410 })
  })

  it("has the next poll wait until it is known what became of the messages before", async () => {
    const { a, b, born, relayed } = await cluster()
    await relayed.batch(JOIN, shout(1))
    let confirm!: () => void
    const { send } = b.server.endpoint.pubsub as PubSub
    b.fate = (message) => {
      if (message.kind !== "taken") return 1
      confirm = () => send.call(b.server.endpoint.pubsub, "a", "longpoll", encodeRelayMessage(message))
      b.fate = () => 1
      return 0
    }
    expect(await relayed.messages()).toEqual([joined, shouted(1)])
    const next = born.messages()
    await a.reached("polls", 1)
    await born.post(shout(2))
    let isAnswered = false
    void next.then(() => (isAnswered = true))
    await born.post(shout(3))
    expect(isAnswered).toBe(false)
    confirm()
    expect(await next).toEqual([shouted(2), shouted(3)])
  })
})

describe("what makes no sense on the bus", () => {
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

  it("is refused and counted, and harms no session", async () => {
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

  it("is ignored when it speaks of what nobody has asked", async () => {
    const { a, b, bus, born, relayed } = await cluster()
    const stranger = bus.join({ node: "stranger" })
    const { session } = sessionTokens(SECRET, "").read(born.token) ?? { session: "" }
    const about = { ask: "nobody's", session }
    const said: RelayMessage[] = [
      { kind: "taken", ...about },
      { kind: "cancel", ...about },
      { kind: "here", ...about },
      { kind: "answer", ...about, status: 200, messages: [] },
      { kind: "abandon", ask: "1", session: "nobody's" },
    ]
    for (const to of ["a", "b"]) for (const message of said) stranger.send(to, "longpoll", encodeRelayMessage(message))
    expect(await askLongPoll(`${b.address}&token=`)).toMatchObject({ status: 410 })
    await relayed.batch(JOIN, shout(1))
    expect(await relayed.messages()).toEqual([joined, shouted(1)])
    expect([a.counted.get("bus_drops"), b.counted.get("bus_drops")]).toEqual([undefined, undefined])
  })
})
