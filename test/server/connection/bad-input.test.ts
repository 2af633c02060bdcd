import { describe, expect, it } from "vitest"
import { FRAME_TOO_LARGE } from "../../../src/wire/close-codes.ts"
import type { ServerOptions } from "../../../src/server/index.ts"
import { clock } from "../../support/clock.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

/** A server, a client that misbehaves, and a well-behaved client in the same room, which must not be affected. */
async function neighbours(options: ServerOptions = {}, query = "") {
  const served = await serve((server) => {
    server.socket("/socket")
    server.channel("intercepted:*", {
      join: () => ({ ok: {} }),
      on: {
        slow: () => new Promise(() => undefined),
        shout: (payload, channel) => channel.broadcast("shout", payload),
      },
      out: { shout: () => undefined },
    })
    server.channel("rooms:*", {
      join: (_topic, params) => (params["slow"] === true ? new Promise(() => undefined) : { ok: {} }),
      on: {
        echo: (payload) => ({ ok: payload }),
        slow: () => new Promise(() => undefined),
        shout: (payload, channel) => channel.broadcast("shout", payload),
        late(_payload, channel) {
          const reply = channel.replyTo()
          queueMicrotask(() => reply({ ok: new Uint8Array([1]) }))
        },
      },
    })
  }, options)
  const [bad, neighbour] = [await served.client(query), await served.client()]
  await neighbour.join("rooms:1")
  if (query === "") await bad.join("rooms:1")
  const unharmed = async (): Promise<void> => {
    expect(await neighbour.ask("rooms:1", "echo", { fine: true })).toEqual(ok({ fine: true }))
  }
  return { ...served, bad, neighbour, unharmed }
}

async function answered(frame: unknown): Promise<{ bad: Client; answer: unknown }> {
  const { bad, unharmed } = await neighbours()
  bad.socket.send(JSON.stringify(frame))
  const answer = await bad.next()
  await unharmed()
  return { bad, answer }
}

const closed = (code: number): unknown => ({ event: "close", code, reason: "" })

describe("a malformed frame closes its own connection with 1011", () => {
  it.each([
    ["text that is not JSON", "{nope"],
    ["an empty frame", ""],
    ["an object", "{}"],
    ["an array of four", '["1","2","rooms:1","echo"]'],
    ["two messages in one frame", '["1","2","t","e",{}]["1","2","t","e",{}]'],
    ["bytes that are not a message", Buffer.from([9, 9, 9])],
    ["sizes beyond the frame", Buffer.from([0, 200, 1, 1, 1, 65])],
    ["names that are not UTF-8", Buffer.from([0, 1, 0, 0, 0, 255])],
    ["a payload nested too deep", `["1","2","t","echo",${"[".repeat(50_000)}${"]".repeat(50_000)}]`],
    ["a topic nested too deep", `["1","2",${"[".repeat(50_000)}${"]".repeat(50_000)},"echo",{}]`],
  ])("%s", async (_what, data) => {
    const { bad, unharmed, counted } = await neighbours()
    bad.socket.send(data)
    expect(await bad.next()).toEqual(closed(1011))
    expect(counted.get("bad_frames")).toBe(1)
    await unharmed()
  })

  it("an array, in version 1", async () => {
    const { bad, unharmed } = await neighbours({}, "vsn=1.0.0")
    bad.socket.send('["1","1","rooms:1","phx_join",{}]')
    expect(await bad.next()).toEqual(closed(1011))
    await unharmed()
  })

  it("bytes, in version 1", async () => {
    const { bad, unharmed } = await neighbours({}, "vsn=1.0.0")
    bad.socket.send(Buffer.from([0, 0, 0, 0, 0]))
    expect(await bad.next()).toEqual(closed(1011))
    await unharmed()
  })
})

describe("a violation of the WebSocket protocol closes its own connection", () => {
  it.each([
    ["an unmasked frame with 1002", { bytes: "x", opcode: 1, mask: false }, 1002],
    ["a reserved opcode with 1002", { bytes: "", opcode: 3 }, 1002],
    ["text that is not UTF-8 with 1007", { bytes: "\u00ff", opcode: 1 }, 1007],
  ])("%s", async (_what, { bytes, ...frame }, code) => {
    const { bad, unharmed } = await neighbours()
    bad.socket.malformed(Buffer.from(bytes, "latin1"), frame)
    expect(await bad.next()).toEqual(closed(code))
    await unharmed()
  })

  it.each([
    [undefined, 1000],
    [1000, 1000],
    [1001, 1000],
    [1011, 1000],
    [3000, 1000],
    [4321, 1000],
    [1012, 1002],
    [1014, 1002],
  ])("a close with code %s is answered with %i (recorded case 16)", async (code, answer) => {
    const { bad, unharmed } = await neighbours()
    bad.socket.close(code, code === undefined ? "" : "bye")
    expect(await bad.next()).toEqual(closed(answer))
    await unharmed()
  })

  it("a frame above maxFrameBytes is not read, and closes with 1009", async () => {
    const { bad, unharmed, counted } = await neighbours({ maxFrameBytes: 1_000 })
    bad.socket.send(JSON.stringify(["rooms:1", "1", "rooms:1", "echo", "x".repeat(1_000)]))
    expect(await bad.next()).toEqual(closed(FRAME_TOO_LARGE))
    expect(counted.get("oversized_frames")).toBe(1)
    await unharmed()
  })
})

describe("a message that can be decoded but not handled is answered, and the connection stays open", () => {
  const unmatched = error({ reason: "unmatched topic" })

  it.each([
    [
      "a join of a topic without handlers (P10)",
      ["7", "7", "nowhere", "phx_join", {}],
      [null, "7", "nowhere", "phx_reply", unmatched],
    ],
    ["a push before the join (P14)", ["7", "8", "rooms:2", "echo", {}], [null, "8", "rooms:2", "phx_reply", unmatched]],
    ["a topic that is not a string", ["7", "8", 5, "phx_join", {}], [null, "8", 5, "phx_reply", unmatched]],
    [
      "a leave whose topic is not a string (P13)",
      ["7", "8", null, "phx_leave", {}],
      ["7", "8", null, "phx_reply", ok()],
    ],
    [
      "a leave of a topic that is not joined (P13)",
      ["7", "8", "rooms:2", "phx_leave", {}],
      ["7", "8", "rooms:2", "phx_reply", ok()],
    ],
    [
      "another event on the topic phoenix",
      [null, "8", "phoenix", "nonsense", {}],
      [null, "8", "phoenix", "phx_reply", unmatched],
    ],
    [
      "a topic named like a property of every object",
      ["7", "8", "__proto__", "echo", {}],
      [null, "8", "__proto__", "phx_reply", unmatched],
    ],
    [
      "references that are not strings",
      [null, { a: [1] }, "phoenix", "heartbeat", {}],
      [null, { a: [1] }, "phoenix", "phx_reply", ok()],
    ],
  ])("%s", async (_what, frame, answer) => {
    expect((await answered(frame)).answer).toEqual(answer)
  })

  it.each([
    ["an array", []],
    ["a string", "params"],
    ["a number", 5],
    ["true", true],
  ])("a join whose payload is %s crashes, and only itself (recorded case 04)", async (_what, params) => {
    const { answer } = await answered(["7", "7", "rooms:2", "phx_join", params])
    expect(answer).toEqual(["7", "7", "rooms:2", "phx_reply", error({ reason: "join crashed" })])
  })

  it.each([
    ["an unknown event", "unknown"],
    ["null as an event", null],
    ["a number as an event", 5],
    ["a property of every object", "constructor"],
    ["a reply", "phx_reply"],
  ])("%s crashes its channel (P15)", async (_what, event) => {
    const { bad, answer } = await answered(["rooms:1", "8", "rooms:1", event, {}])
    expect(answer).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_error", { reason: "channel_crash" }])
    expect(await bad.ask("rooms:1", "echo")).toEqual(unmatched)
  })

  it("a late reply that cannot be encoded crashes its channel", async () => {
    const { bad, unharmed } = await neighbours()
    const topic = `rooms:${"x".repeat(300)}`
    await bad.join(topic)
    bad.push(topic, "late")
    expect(await bad.next()).toEqual([topic, topic, topic, "phx_error", { reason: "channel_crash" }])
    await unharmed()
  })

  it('a message of an earlier join is dropped and counted; 20 is not "20" (P14)', async () => {
    const { bad, counted, unharmed } = await neighbours()
    for (const stale of ["old", 1, ""]) bad.socket.send(JSON.stringify([stale, "8", "rooms:1", "echo", {}]))
    bad.socket.send(JSON.stringify(["old", "9", "rooms:1", "phx_leave", {}]))
    expect(await bad.rest()).toEqual([])
    expect(counted.get("stale_messages")).toBe(4)
    await unharmed()
  })
})

describe("references (P14)", () => {
  it.each<[unknown, unknown]>([
    ["7", "7"],
    ["", ""],
    [20, 20],
    [0, 0],
    [true, true],
    [{ a: [1] }, { a: [1] }],
    [["x"], ["x"]],
    [null, "the join's own"],
    [false, "the join's own"],
  ])(
    "a join with join_ref %j gets pushes with %j, and messages with its own reference or none are accepted",
    async (joinRef, shown) => {
      const { bad } = await neighbours()
      const send = (ref: unknown, event: string): void =>
        bad.socket.send(JSON.stringify([joinRef, ref, "rooms:2", event, {}]))
      send("the join's own", "phx_join")
      expect(await bad.next()).toEqual([joinRef, "the join's own", "rooms:2", "phx_reply", ok()])
      send("1", "echo")
      expect(await bad.next()).toEqual([shown, "1", "rooms:2", "phx_reply", ok()])
      bad.socket.send(JSON.stringify([null, "2", "rooms:2", "echo", {}]))
      expect(await bad.next()).toEqual([shown, "2", "rooms:2", "phx_reply", ok()])
      send("3", "phx_leave")
      expect(await bad.next()).toEqual([shown, "3", "rooms:2", "phx_reply", ok()])
      // phx_close has the reference of the join twice.
      expect(await bad.next()).toEqual([joinRef, joinRef, "rooms:2", "phx_close", {}])
    },
  )

  it("of version 1: the end of a channel has its join_ref as ref, if its join came with one", async () => {
    const { bad } = await neighbours({}, "vsn=1.0.0")
    const send = (event: string, more = {}): void =>
      bad.socket.send(JSON.stringify({ topic: "rooms:2", event, payload: {}, ref: "1", ...more }))
    const end = (event: string, payload: unknown, ref: unknown): unknown => ({ topic: "rooms:2", event, payload, ref })
    send("phx_join", { join_ref: "j" })
    send("no such event", { join_ref: "stale" })
    send("no such event", { join_ref: "j" })
    expect((await bad.rest())[1]).toEqual(end("phx_error", { reason: "channel_crash" }, "j"))
    send("phx_join")
    send("phx_leave", { join_ref: "1" })
    send("phx_leave")
    expect((await bad.rest())[2]).toEqual(end("phx_close", {}, null))
  })
})

describe("a payload that is not an object", () => {
  it.each([null, "text", 5, true, []])(
    "%j is allowed in a reply, and crashes the channel that broadcasts it (P6)",
    async (payload) => {
      const { bad, neighbour, unharmed } = await neighbours()
      expect(await bad.ask("rooms:1", "echo", payload)).toEqual(ok(payload))
      bad.push("rooms:1", "shout", payload)
      expect(await bad.next()).toEqual(["rooms:1", "rooms:1", "rooms:1", "phx_error", { reason: "channel_crash" }])
      expect(await neighbour.rest()).toEqual([])
      await unharmed()
    },
  )
})

describe("the rate of messages is bounded", () => {
  it("frames of one connection: one too many in a second closes it with 1008", async () => {
    const timers = clock()
    const { bad, counted, unharmed } = await neighbours({ timers, maxFramesPerSecond: 10 })
    timers.advance(1_000)
    for (let i = 0; i < 10; i += 1) expect(await bad.ask("rooms:1", "echo", i)).toEqual(ok(i))
    timers.advance(1_000)
    for (let i = 0; i < 10; i += 1) bad.push("phoenix", "heartbeat")
    expect(await bad.rest()).toHaveLength(10)
    bad.push("phoenix", "heartbeat")
    expect(await bad.next()).toEqual(closed(1008))
    expect(counted.get("frame_floods")).toBe(1)
    await unharmed()
  })

  it("joins of one connection: one too many in a second is refused, and a second later joins are accepted again", async () => {
    const timers = clock()
    const { bad, counted, unharmed } = await neighbours({ timers, maxJoinsPerSecond: 3 })
    timers.advance(1_000)
    for (let i = 0; i < 3; i += 1) expect(await bad.join("rooms:2")).toBeDefined()
    await bad.rest()
    expect(await bad.join("rooms:3")).toEqual(error({ reason: "too many joins" }))
    timers.advance(1_000)
    expect(await bad.join("rooms:3")).toEqual(ok())
    expect(counted.get("join_floods")).toBe(1)
    await unharmed()
  })

  it("connections of one address: one too many is refused with 429, until one of them ends", async () => {
    const { bad, client, counted, reached, unharmed } = await neighbours({ maxConnectionsPerAddress: 2 })
    expect((await client()).beginning).toEqual({ event: "http-refused", status: 429, body: "" })
    expect(counted.get("crowded_addresses")).toBe(1)
    bad.socket.reset()
    await reached("disconnects", 1)
    expect((await client()).beginning).toEqual({ event: "open" })
    await unharmed()
  })
})

describe("the size of what is kept is bounded", () => {
  const long = "x".repeat(1_025)

  it.each([
    ["a topic", `rooms:${long}`, "1", "1"],
    ["a reference", "rooms:2", long, "1"],
    ["a ref that is used as the join reference", "rooms:2", null, { long }],
  ])("%s that is too long is refused, before anybody is asked", async (_what, topic, joinRef, ref) => {
    const { bad, counted, unharmed } = await neighbours()
    bad.socket.send(JSON.stringify([joinRef, ref, topic, "phx_join", {}]))
    expect(await bad.next()).toEqual([joinRef, ref, topic, "phx_reply", error({ reason: "topic too long" })])
    expect(counted.get("long_topics")).toBe(1)
    expect(counted.get("joins")).toBe(2)
    await unharmed()
  })
})

describe("the number of waiting messages is bounded", () => {
  it("frames behind a join that hangs: one too many closes the connection with 1008", async () => {
    const { bad, counted, unharmed } = await neighbours({ maxQueuedFrames: 10 })
    bad.push("rooms:slow", "phx_join", { slow: true })
    for (let i = 0; i < 10; i += 1) bad.push("rooms:1", "echo")
    expect(await bad.rest()).toEqual([])
    bad.push("rooms:1", "echo")
    expect(await bad.next()).toEqual(closed(1008))
    expect(counted.get("queue_overflows")).toBe(1)
    await unharmed()
  })

  it("frames behind a handler that hangs, likewise, over all channels of the connection", async () => {
    const { bad, unharmed } = await neighbours({ maxQueuedFrames: 10 })
    await bad.join("rooms:2")
    for (const topic of ["rooms:1", "rooms:2"]) bad.push(topic, "slow")
    expect(await bad.rest()).toEqual([])
    for (let i = 0; i < 11; i += 1) bad.push(i % 2 === 0 ? "rooms:1" : "rooms:2", "echo")
    expect(await bad.next()).toEqual(closed(1008))
    await unharmed()
  })

  it("broadcasts for an out handler behind a handler that hangs, likewise", async () => {
    const { bad, neighbour, counted } = await neighbours({ maxQueuedFrames: 10 })
    await bad.join("intercepted:1")
    await neighbour.join("intercepted:1")
    bad.push("intercepted:1", "slow")
    await bad.socket.settled()
    for (let i = 0; i < 10; i += 1) neighbour.push("intercepted:1", "shout", { i })
    expect(await neighbour.rest()).toEqual([])
    expect(bad.socket.ended).toBe(false)
    neighbour.push("intercepted:1", "shout", {})
    expect(await bad.next()).toEqual(closed(1008))
    expect(counted.get("queue_overflows")).toBe(1)
    expect(await neighbour.ask("rooms:1", "echo", 1)).toEqual(ok(1))
  })

  it("channels of one connection: one too many is refused, until one is left (P10)", async () => {
    const { bad, unharmed } = await neighbours({ maxChannels: 2 })
    expect(await bad.join("rooms:2")).toEqual(ok())
    expect(await bad.join("rooms:3")).toEqual(error({ reason: "too many channels joined" }))
    bad.push("rooms:2", "phx_leave")
    expect([await bad.next(), await bad.next()]).toHaveLength(2)
    expect(await bad.join("rooms:3")).toEqual(ok())
    await unharmed()
  })
})
