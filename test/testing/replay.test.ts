/** Recordings of a connection: what they contain, what they never contain, and that a replay shows what the page has shown. */
import fc from "fast-check"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { connect, type Connection, type Room, type RoomOptions } from "../../src/client/index.ts"
import { createServer, relay } from "../../src/server/index.ts"
import { fakeConnection, memoryTransport, record, replay, type RecordOptions } from "../../src/testing/index.ts"
import { clock } from "../support/clock.ts"
import { until } from "../support/until.ts"

type Fields = { name: string; status?: string; email?: string; token?: string; note?: object }

/** A room on a real server, whose connection is recorded by a clock of the test's, and the devices of other users. */
async function recorded(options: RecordOptions = {}, roomOptions: RoomOptions = {}, me: Fields = { name: "Me" }) {
  const server = createServer()
  server.socket("/socket", { connect: ({ params }) => ({ key: String(params["key"]) }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
    allow: ["name", "status", "email", "token", "note"],
    on: { cursor: relay(), ping: () => ({ ok: {} }) },
  })
  const connections: Connection[] = []
  const ours = memoryTransport(server)
  const theirs = memoryTransport(server)
  const timers = clock()
  const connection = connect("ws://memory/socket", {
    transport: ours.WebSocket,
    params: { key: "me", secretParam: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl" },
    timers,
    reconnectAfterMs: () => 0,
  })
  connections.push(connection)
  const recording = record(connection, { timers, ...options })
  const bounded = record(connection, { timers, maxEntries: 12 })
  const room: Room<Fields> = connection.room<Fields>(
    "rooms:1",
    { me, ticket: "opaque" },
    { updateThrottleMs: 0, ...roomOptions },
  )
  await room.ready
  const devices = new Map<string, Room<Fields>[]>()
  const close = async (): Promise<void> => {
    for (const each of connections) each.disconnect()
    await server.close()
  }
  return {
    connection,
    recording,
    bounded,
    room,
    timers,
    devices,
    ours,
    close,
    async join(key: string, me: Fields) {
      const connection = connect("ws://memory/socket", { transport: theirs.WebSocket, params: { key } })
      connections.push(connection)
      const room = connection.room<Fields>("rooms:1", { me }, { updateThrottleMs: 0 })
      await room.ready
      devices.set(key, [...(devices.get(key) ?? []), room])
      return room
    },
  }
}

const viewOf = (room: Room<Fields>) => ({
  status: room.status,
  reason: room.reason?.code,
  isLost: room.isLost,
  size: room.size,
  self: room.self?.key,
  users: Object.fromEntries(room.list((key, { metas, leftAt }) => [key, [metas, leftAt !== undefined]])),
})

describe("a replay", () => {
  test("shows what the page has shown, step by step, whatever happened, also from a bounded recording", async () => {
    const whats = fc.constantFrom("join", "join", "update", "leave", "send", "mine", "cut", "offline", "wait", "pause")
    const step = fc.tuple(whats, fc.constantFrom("ada", "bob"), fc.nat(9))
    const options = { graceMs: 1000, keepLeftMs: 700, lostConnectionMs: 1500 }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const all = await recorded({ maxEntries: Infinity, maxBytes: Infinity }, options)
        const { connection, recording, bounded, room, timers, ours, devices } = all
        /** How many entries there were, and what was shown then. */
        const seen: (readonly [entries: number, view: unknown])[] = []
        const look = (): void => void seen.push([recording.size, viewOf(room)])
        connection.socket.onMessage(look)
        for (const [what, key, n] of steps) {
          timers.advance(10)
          const theirs = devices.get(key)?.at(-1)
          if (what === "join") await all.join(key, { name: `${key} ${n}` })
          else if (what === "update") await theirs?.update({ status: `s${n}` })
          else if (what === "leave") theirs?.leave()
          else if (what === "send") await theirs?.broadcast("cursor", { n })
          else if (what === "mine") await room.update({ status: `m${n}` })
          else if (what === "wait") timers.advance(n * 300)
          else if (what === "pause") {
            connection.pause()
            look()
            timers.advance(n * 300)
            connection.resume()
          } else if (what === "cut") {
            ours.reachable = false
            ours.drop()
            look()
            timers.advance(n * 300)
            ours.reachable = true
          }
          if (what === "leave") devices.set(key, devices.get(key)?.slice(0, -1) ?? [])
          await until(() => room.status === "live")
          await room.push("ping")
          look()
        }
        const player = replay(recording.text())
        const played = player.connection.room<Fields>("rooms:1", { me: { name: "Me" } }, options)
        for (const [entries, view] of seen) {
          while (player.position < entries) player.step()
          expect(viewOf(played)).toEqual(view)
        }
        player.connection.disconnect()
        // Who had left when it begins is not in it.
        timers.advance(10_000)
        await room.push("ping")
        const second = replay(bounded.text())
        const bound = second.connection.room<Fields>("rooms:1", { me: { name: "Me" } }, options)
        second.run()
        expect([second.head.missing, second.length <= 12 + 10, viewOf(bound)]).toEqual([[], true, viewOf(room)])
        second.connection.disconnect()
        await all.close()
      }),
      { numRuns: 30 },
    )
  })

  test("of the latest entries begins with the views to which the others led", async () => {
    const all = await recorded({ maxEntries: 8 })
    const { recording, room } = all
    onTestFinished(all.close)
    const ada = await all.join("ada", { name: "Ada" })
    const bob = await all.join("bob", { name: "Bob" })
    const phone = await all.join("ada", { name: "Ada's phone" })
    await until(() => room.get("ada")?.metas.length === 2 && room.get("bob") !== undefined)
    bob.leave()
    phone.leave()
    await until(() => room.get("ada")?.metas.length === 1 && room.get("bob") === undefined)
    for (let n = 0; n < 20; n += 1) {
      await ada.update({ status: `s${n}` })
      // One diff for each: those of one turn of the server's event loop are one.
      await until(() => room.get("ada")?.metas[0].status === `s${n}`)
    }
    const { dropped } = replay(recording.text()).head
    expect([recording.size, dropped > 0]).toEqual([8, true])
    const player = replay(recording.text())
    const played = player.connection.room<Fields>("rooms:1")
    player.run(() => played.status === "live")
    expect([played.size, played.get("ada")?.metas.length]).toEqual([2, 1])
    player.run()
    expect(viewOf(played)).toEqual(viewOf(room))
    player.connection.disconnect()
  })

  test("gives the messages of others to the application, and its own pushes their answers", async () => {
    const all = await recorded()
    onTestFinished(all.close)
    const ada = await all.join("ada", { name: "Ada" })
    await ada.broadcast("cursor", { n: 1 })
    await expect(all.room.push("ping")).resolves.toEqual({})
    const player = replay(all.recording.text())
    onTestFinished(() => player.connection.disconnect())
    const played = player.connection.room("rooms:1")
    const got: unknown[] = []
    played.on("cursor", (payload) => got.push(payload))
    player.run(() => played.status === "live")
    const answer = played.push("ping")
    player.run()
    expect(got).toEqual([{ n: 1, from: "ada" }])
    await expect(answer).resolves.toEqual({})
  })

  test("leaves out the rooms that the application does not ask for, and says so", async () => {
    const all = await recorded()
    onTestFinished(all.close)
    const player = replay(all.recording.text())
    onTestFinished(() => player.connection.disconnect())
    player.connection.room("rooms:2")
    const steps = []
    for (let step = player.step(); step; step = player.step()) steps.push(step)
    expect(steps.filter(({ topic }) => topic === "rooms:1").map(({ isPlayed }) => isPlayed)).not.toContain(true)
    expect([player.position, steps.length]).toEqual([player.length, player.length])
  })

  test("shows a refusal and a doubt as the page did", async () => {
    const { connection, topic, refuse, restore } = fakeConnection()
    onTestFinished(() => connection.disconnect())
    let notify: (signal: "offline" | "online") => void = () => {}
    const fake = fakeConnection({
      options: {
        signals: (given) => {
          notify = given
          return () => {}
        },
      },
    })
    onTestFinished(() => fake.connection.disconnect())
    expect([topic("rooms:1").sent, connection.status]).toEqual([[], "idle"])
    refuse()
    restore()
    const recording = record(fake.connection)
    const room = fake.connection.room("rooms:1")
    fake.topic("rooms:1").join("ada")
    notify("offline")
    const doubted = recording.size
    expect([room.status, room.reason]).toEqual(["stale", { code: "disconnected", detail: "offline" }])
    notify("online")
    fake.settle()
    const trusted = recording.size
    expect(room.status).toBe("live")
    fake.refuse("signed out")
    expect(fake.connection.status).toBe("refused")
    const player = replay(recording.text())
    onTestFinished(() => player.connection.disconnect())
    const played = player.connection.room("rooms:1")
    const shown = (): unknown[] => [played.status, played.reason, player.connection.status, played.size]
    while (player.position < doubted) player.step()
    expect(shown()).toEqual(["stale", { code: "disconnected", detail: "offline" }, "reconnecting", 2])
    while (player.position < trusted) player.step()
    expect(shown()).toEqual(["live", undefined, "open", 2])
    player.run()
    expect([player.connection.status, player.connection.reason]).toEqual([
      "refused",
      { code: "refused", detail: "signed out" },
    ])
  })

  test.for([
    ["{", "expected the text of a recording, got 1 characters that are not JSON"],
    ["[]", 'expected the text of a recording, got an array of 0 without "format":"rollcall-recording"'],
    ['{"format":"rollcall-recording","version":2,"entries":[]}', "expected a recording of version 1, got version 2"],
    ['{"format":"rollcall-recording","version":1,"entries":{}}', "expected entries to be an array, got an object"],
  ] as const)("refuses the text %j", ([text, message]) => {
    expect(() => replay(text)).toThrow(message)
  })

  test.for([
    "null",
    "5",
    "{}",
    "[]",
    '["1","open"]',
    '[-1,"open"]',
    '[1e400,"open"]',
    '[1e300,"status","open"]',
    '[1,"opened"]',
  ])(
    "refuses the entry %s, which only a hand can have written: its time would never come, or it is no entry",
    (entry) => {
      const text = `{"format":"rollcall-recording","version":1,"entries":[[0,"open"],${entry}]}`
      expect(() => replay(text)).toThrow(
        /expected entries\[1\] to begin with a time from 0 to 100000000000 ms and one of/,
      )
    },
  )

  test.for([-1, 0.5, 1e12])("gives a message with %d bytes to the application as it is written", (bytes) => {
    const fake = fakeConnection()
    const recording = record(fake.connection)
    fake.connection.room("rooms:1")
    fake.settle()
    fake.topic("rooms:1").send("image", new ArrayBuffer(3))
    fake.connection.disconnect()
    const { connection, run } = replay(recording.text().replace('{"$bytes":3}', `{"$bytes":${bytes}}`))
    onTestFinished(() => connection.disconnect())
    const got: unknown[] = []
    connection.room("rooms:1").on("image", (image) => got.push(image))
    run()
    expect(got).toEqual([{ $bytes: bytes }])
  })
})

describe("a recording", () => {
  test("has no secret: no params and tokens of the connection, no params of joins, no field or text that looks like one", async () => {
    const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
    const all = await recorded({}, {}, { name: "Me", token: "t-1", note: { apiKey: "k-1", says: `it is ${token}.` } })
    onTestFinished(all.close)
    const ada = await all.join("ada", { name: "Ada", token: "t-2" })
    await ada.broadcast("cursor", { password: "p-1", list: [token] })
    await all.room.push("ping", { sessionId: "s-1" })
    const text = all.recording.text()
    for (const secret of [token, "opaque", "t-1", "t-2", "k-1", "p-1", "s-1", "c2lnbmF0dXJl"])
      expect(text).not.toContain(secret)
    expect(text).toContain('"ticket":"[redacted]"')
    expect(text).toContain('"name":"Ada"')
  })

  test("has in place of a field what the application says, and can be replayed without it", async () => {
    const places: unknown[] = []
    const all = await recorded({
      redact(name, value, place) {
        if (name === "email") places.push(place)
        return name === "email" ? "…" : name === "status" ? undefined : value
      },
    })
    onTestFinished(all.close)
    const ada = await all.join("ada", { name: "Ada", email: "ada@example.test", status: "busy" })
    await until(() => all.room.get("ada") !== undefined)
    const player = replay(all.recording.text())
    onTestFinished(() => player.connection.disconnect())
    const played = player.connection.room<Fields>("rooms:1")
    player.run()
    expect(played.get("ada")?.metas).toEqual([{ name: "Ada", email: "…", phx_ref: ada.self?.metas[0].phx_ref }])
    expect(places).toEqual([{ topic: "rooms:1", event: "presence_diff", direction: "in" }])
  })

  test("has nothing secret of the fields beside the devices of a user, such as those of a fetch", () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    const recording = record(fake.connection, { redact: (name, value) => (name === "email" ? undefined : value) })
    fake.connection.room("rooms:1")
    fake.settle()
    const ada = { metas: [{ phx_ref: "1" }], token: "s-1", email: "s-2", account: { password: "s-3", plan: "pro" } }
    fake.receive(JSON.stringify([null, null, "rooms:1", "presence_diff", { joins: { ada }, leaves: {} }]))
    expect(recording.text()).not.toMatch(/s-\d/)
    const { connection, run } = replay(recording.text())
    onTestFinished(() => connection.disconnect())
    const room = connection.room("rooms:1")
    run()
    expect(room.get("ada")).toEqual({
      key: "ada",
      metas: [{ phx_ref: "1" }],
      token: "[redacted]",
      account: { password: "[redacted]", plan: "pro" },
    })
  })

  test("that keeps only the fields that the application knows still has the devices, and can be replayed", () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    const recording = record(fake.connection, { redact: (name, value) => (name === "name" ? value : undefined) })
    fake.connection.room("rooms:1")
    fake.topic("rooms:1").join("ada", { name: "Ada", email: "ada@example.com" })
    fake.topic("rooms:1").join("ada", { name: "Ada's phone", note: { name: "x" } })
    const { connection, run } = replay(recording.text())
    onTestFinished(() => connection.disconnect())
    const room = connection.room("rooms:1")
    run()
    const metas = room.get("ada")?.metas.map(({ phx_ref: _ref, ...fields }) => fields)
    expect([room.status, metas]).toEqual(["live", [{ name: "Ada" }, { name: "Ada's phone" }]])
  })

  test("survives a function that throws: the payload is left out and counted, and the page goes on", async () => {
    const all = await recorded({
      redact() {
        throw new Error("no")
      },
    })
    onTestFinished(all.close)
    await all.room.push("ping", { n: 1 })
    expect(all.recording.failed).toBeGreaterThan(0)
    expect([all.room.status, all.room.size]).toEqual(["live", 1])
    expect(() => replay(all.recording.text()).run()).not.toThrow()
  })

  test("survives what a server may send: the client reports it as without a recording", async () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    const recording = record(fake.connection, { maxEntries: 1 })
    const codes: string[] = []
    const room = fake.connection.room("rooms:1")
    room.onError(({ code }) => codes.push(code))
    const topic = fake.topic("rooms:1")
    topic.send("presence_state", { ada: { metas: 1 } })
    topic.send("presence_diff", { joins: { ada: {} }, leaves: { bob: null } })
    topic.send("cursor", { n: 1 })
    topic.join("ada")
    topic.send("cursor", { n: 2 })
    expect([codes, room.status, room.size]).toEqual([["bad_frame", "bad_frame"], "live", 2])
    expect([recording.size, recording.failed > 0]).toEqual([1, true])
    const player = replay(recording.text())
    player.run()
    player.connection.disconnect()
  })

  test("has the messages of an application's own serializer", async () => {
    const encode = (message: object, done: (frame: string) => void): void => done(`own ${JSON.stringify(message)}`)
    const decode = (frame: string, done: (message: unknown) => void): void => {
      const [join_ref, ref, topic, event, payload] = JSON.parse(frame) as unknown[]
      done({ join_ref, ref, topic, event, payload })
    }
    const sent: string[] = []
    const lines: { onmessage(event: { data: string }): void }[] = []
    class OwnTransport {
      readyState = 0
      onopen = (): void => {}
      onclose = (_event: object): void => {}
      onmessage = (_event: { data: string }): void => {}
      constructor() {
        lines.push(this)
        queueMicrotask(() => {
          this.readyState = 1
          this.onopen()
        })
      }
      send(frame: string): void {
        sent.push(frame)
      }
      close(): void {
        this.readyState = 3
        this.onclose({ code: 1000 })
      }
    }
    const connection = connect("ws://own.test/socket", { transport: OwnTransport, encode, decode })
    onTestFinished(() => connection.disconnect())
    const recording = record(connection)
    const room = connection.room("rooms:1", () => ({ me: { name: "Me" } }))
    await until(() => sent.length > 0)
    const { join_ref: ref } = JSON.parse(sent[0]!.slice(4)) as { join_ref: string }
    const state = { ada: { metas: [{ phx_ref: "1", name: "Ada" }] } }
    for (const frame of [
      [ref, ref, "rooms:1", "phx_reply", { status: "ok", response: {} }],
      [ref, null, "rooms:1", "presence_state", state],
    ])
      lines[0]!.onmessage({ data: JSON.stringify(frame) })
    expect(room.size).toBe(1)
    const player = replay(recording.text())
    onTestFinished(() => player.connection.disconnect())
    const played = player.connection.room("rooms:1")
    player.run()
    expect(played.list()).toEqual(room.list())
  })

  test("is bounded in entries and in bytes, and names a room that is too large to begin with", async () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    const small = record(fake.connection, { maxBytes: 4000 })
    const few = record(fake.connection, { maxEntries: 5 })
    const [one, two] = [fake.topic("rooms:1"), fake.topic("rooms:2")]
    const rooms = ["rooms:1", "rooms:2"].map((topic) => fake.connection.room(topic))
    for (let n = 0; n < 100; n += 1) one.join(`user ${n}`, { name: "x".repeat(50) })
    for (let n = 0; n < 50; n += 1) two.send("cursor", { n })
    expect([few.size, small.size > 5]).toEqual([5, true])
    expect(small.text().length).toBeLessThan(2 * 4000 + 500)
    const player = replay(small.text())
    expect(player.head.missing).toEqual(["rooms:1"])
    const played = player.connection.room("rooms:2")
    player.run()
    expect([played.status, played.size]).toEqual(["live", rooms[1]!.size])
    player.connection.disconnect()
  })

  test("keeps of bytes only how many there were", async () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    const recording = record(fake.connection)
    const room = fake.connection.room("rooms:1")
    fake.topic("rooms:1").send("drawing", new Uint8Array([1, 2, 3]))
    await room.push("drawing", new Uint8Array([4, 5]))
    expect(recording.text()).toContain('{"$bytes":3}')
    expect(recording.text()).toContain('{"$bytes":2}')
    const player = replay(recording.text())
    onTestFinished(() => player.connection.disconnect())
    const got: unknown[] = []
    player.connection.room("rooms:1").on("drawing", (payload) => got.push(payload))
    player.run()
    expect(got).toEqual([new ArrayBuffer(3)])
  })

  test("ends when it is stopped, and what was recorded stays", async () => {
    const all = await recorded()
    onTestFinished(all.close)
    const { size } = all.recording
    all.recording.stop()
    await all.room.push("ping")
    all.ours.drop()
    await until(() => all.room.status === "live" && all.connection.status === "open")
    expect([size > 0, all.recording.size]).toEqual([true, size])
  })

  test.for([{ maxEntries: 0 }, { maxBytes: Number.NaN }, { maxEntries: "many" as never }])("refuses %j", (options) => {
    const { connection } = fakeConnection()
    expect(() => record(connection, options)).toThrow(/expected max\w+ to be a number from 1, got/)
  })

  test("costs the page nothing that grows with the room", () => {
    const fake = fakeConnection()
    onTestFinished(() => fake.connection.disconnect())
    record(fake.connection, { maxEntries: 10 })
    const stringify = vi.spyOn(JSON, "stringify")
    onTestFinished(() => stringify.mockRestore())
    fake.connection.room("rooms:1")
    const topic = fake.topic("rooms:1")
    for (let n = 0; n < 200; n += 1) topic.join(`user ${n}`)
    const longest = Math.max(...stringify.mock.results.slice(-50).map(({ value }) => String(value).length))
    expect(longest).toBeLessThan(300)
  })
})
