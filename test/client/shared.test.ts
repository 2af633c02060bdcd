/** `rollcall/shared` without a browser: locks and channels in memory, and a real server. In Chromium: test/browser/shared.test.ts. */
import { expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, type RollcallError } from "../../src/client/index.ts"
import { createHub } from "../../src/client/shared/hub.ts"
import { shared, type SharedConnection, type SharedOptions } from "../../src/client/shared/index.ts"
import { LEAD } from "../../src/client/shared/messages.ts"
import { createServer, relay, watchKeys } from "../../src/server/index.ts"
import { memoryTransport } from "../../src/testing/index.ts"
import { systemClock } from "../../src/timers.ts"
import { serve } from "../support/serve.ts"
import { memoryPage } from "../support/tabs.ts"
import { until } from "../support/until.ts"

function served() {
  const server = createServer()
  server.socket("/socket", { connect: ({ params: { key } }) => ({ key: String(key) }) })
  let release: (() => void) | undefined
  const released = new Promise<void>((resolve) => (release = resolve))
  server.channel("rooms:*", {
    join: (_topic, { may }) => (may === false ? { error: { reason: "no" } } : { ok: {} }),
    allow: ["tab", "mood"],
    on: {
      chat: relay(),
      bytes: () => ({ ok: new Uint8Array([1, 2, 3]) }),
      slow: () => released.then(() => ({ ok: { done: true } })),
      ask: (payload) => ({ ok: { asked: payload } }),
    },
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
  const { WebSocket: transport } = memoryTransport(server)
  onTestFinished(() => server.close())
  return {
    server,
    release: () => release!(),
    connections: () => server.stats().connections,
    open(options: Partial<SharedOptions> = {}, url = "ws://memory/socket"): SharedConnection {
      const { name = "ada" } = options
      const tab = shared(url, { name, params: { key: name }, transport, pingMs: 60_000, ...options })
      onTestFinished(() => tab.disconnect())
      return tab
    },
    direct() {
      const connection = connect("ws://memory/socket", { transport, params: { key: "ada" }, idleMs: 2 ** 31 - 1 })
      onTestFinished(() => connection.disconnect())
      return connection
    },
  }
}

const raise = (): never => {
  throw new Error("mine")
}

const frameOf = (join_ref: string, ref: string, topic: string, event: string, payload: object): string =>
  JSON.stringify({ join_ref, ref, topic, event, payload })

const roomOf = (tab: SharedConnection, topic = "rooms:1", params: object = { me: { tab: "a" } }) =>
  tab.room(topic, params, { updateThrottleMs: 0 })

test("messages of other scripts on the channel of the tabs change nothing", async () => {
  const page = memoryPage()
  const { open, connections } = served()
  const tabs = [open(), open()]
  const rooms = tabs.map((tab) => roomOf(tab))
  await Promise.all(rooms.map(({ ready }) => ready))
  const foreign: unknown[] = [undefined, null, 0, "hello", {}, [], [""], { type: "stop" }]
  for (const kind of ["stop", "end", "toString", "__proto__", "constructor", "__defineGetter__", -1, 99, null, {}])
    foreign.push(["", "x", kind, []], ["", "x", kind])
  foreign.push(["", "x", LEAD, ["soon", true]], ["", "x", LEAD, [Number.NaN, false, "no"]])
  const ours = page.names().filter((name) => name.startsWith("rollcall/"))
  expect(ours).toHaveLength(1)
  for (const data of foreign) page.post(ours[0]!, data)
  for (const room of rooms) expect(await room.push("ask", {})).toEqual({ asked: {} })
  expect(connections()).toBe(1)
  expect(tabs.filter(({ isLeader }) => isLeader)).toHaveLength(1)
  expect(rooms.map(({ status }) => status)).toEqual(["live", "live"])
})

test("tabs that write the URL in different ways share a connection", async () => {
  memoryPage()
  const { open, connections } = served()
  for (const url of ["/socket", "ws://memory/socket/", "WS://MEMORY:80/socket/websocket?a=b", "http://memory/socket"])
    await roomOf(open({}, url)).ready
  expect(connections()).toBe(1)
})

test("a person is not mixed up with one whose name looks like part of a lock", async () => {
  memoryPage()
  const { open, connections } = served()
  await roomOf(open()).ready
  await roomOf(open()).ready
  for (const name of ["ada deputy", "deputy ada", "end ada"]) await roomOf(open({ name })).ready
  expect(connections()).toBe(4)
})

test("errors of the params reach the listeners of the tab that leads", async () => {
  memoryPage()
  const { open } = served()
  const errors: RollcallError[] = []
  const tab = open({ params: () => Promise.reject(new Error("no session")) })
  tab.onError((error) => errors.push(error))
  roomOf(tab)
  await until(() => errors.length > 0)
  expect(errors[0]).toMatchObject({ code: "params_failed" })
})

test.each([
  ["throws", () => raise()],
  ["returns no object", () => undefined as never],
])("when mergeMetas %s, that is reported, and the last active tab's meta is used", async (_what, mergeMetas) => {
  memoryPage()
  const { open, server } = served()
  const tab = open({ mergeMetas })
  const errors: RollcallError[] = []
  tab.onError((error) => errors.push(error))
  const room = roomOf(tab)
  await room.ready
  await room.update({ mood: "glad" })
  expect(server.presence.list("rooms:1")["ada"]?.metas).toMatchObject([{ tab: "a", mood: "glad" }])
  expect(errors[0]).toMatchObject({ code: "callback_failed" })
})

test("binary pushes and replies arrive as bytes, in each tab", async () => {
  memoryPage()
  const { open } = served()
  for (const tab of [open(), open()]) {
    const room = roomOf(tab)
    await room.ready
    const reply = await room.push<ArrayBuffer>("bytes", new Uint8Array([9]))
    expect([...new Uint8Array(reply)]).toEqual([1, 2, 3])
  }
})

test("a push waits for its reply as long as it says, whatever the timeout of the connection", async () => {
  memoryPage()
  const { open, release } = served()
  const tab = open({ timeout: 1_000 })
  const room = roomOf(tab)
  await room.ready
  const slow = room.push("slow", {}, 60_000)
  await expect(room.push("slow", {})).rejects.toMatchObject({ code: "timeout" })
  release()
  expect(await slow).toEqual({ done: true })
})

test("what a tab has sent before it vanished is dropped, if it arrives after that", async () => {
  memoryPage()
  const { direct } = served()
  const connection = direct()
  const [hello, bye, frame] = createHub(
    connection,
    systemClock,
    (metas) => metas.at(-1)!,
    (cause) => expect.unreachable(String(cause)),
    () => {},
    () => {},
  )
  const join = frameOf("1", "1", "rooms:1", "phx_join", {})
  hello("tab", [0, []])
  frame("tab", join)
  expect(connection.rooms).toHaveLength(1)
  bye("tab")
  frame("tab", join)
  expect(connection.rooms).toHaveLength(0)
})

test("after hundreds of joins and leaves, nothing is kept of them", async () => {
  memoryPage()
  const { direct, server } = served()
  const connection = direct()
  let sent = 0
  const [hello, , frame] = createHub(
    connection,
    systemClock,
    (metas) => metas.at(-1)!,
    (cause) => expect.unreachable(String(cause)),
    () => sent++,
    () => {},
  )
  hello("tab", [0, []])
  for (let n = 0; n < 300; n += 1) {
    frame("tab", frameOf(`${n}`, `${n}`, `rooms:${n}`, "phx_join", { me: {} }))
    frame("tab", frameOf(`${n}`, `l${n}`, `rooms:${n}`, "phx_leave", {}))
  }
  expect(connection.rooms).toHaveLength(0)
  await until(() => connection.socket.channels.length === 0)
  await until(() => server.stats().channels === 0)
  expect(sent).toBe(600)
})

test("topics and keys with the names of an object's own parts are like any other", async () => {
  memoryPage()
  const { open } = served()
  for (const name of ["__proto__", "constructor"]) {
    for (const tab of [open({ name }), open({ name })]) {
      const room = roomOf(tab, `rooms:${name}`, { me: JSON.parse('{"mood":"glad"}') as object })
      await room.ready
      await until(() => room.get(name) !== undefined)
      expect(room.get(name)?.metas).toMatchObject([{ mood: "glad" }])
    }
  }
})

test("tabs that have given up do not keep out a new tab with a new token", async () => {
  memoryPage()
  const { url, server } = await serve((made) => {
    made.socket("/socket", { connect: ({ params: { token } }) => token === "new" && {} })
    made.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
  })
  const open = (token: string): SharedConnection => {
    const options = { name: "ada", params: { token }, transport: WebSocket, onRefused: "stop" } as const
    const tab = shared(`${url}/socket`, options)
    onTestFinished(() => tab.disconnect())
    return tab
  }
  const old = ["old", "older"].map(open)
  for (const tab of old) roomOf(tab)
  await until(() => old.every(({ status }) => status === "refused"))
  await roomOf(open("new")).ready
  expect(server.presence.list("rooms:1")["ada"]?.metas).toHaveLength(1)
})

test("a refused join is refused for the tabs that asked, and a later join is asked anew", async () => {
  memoryPage()
  const { open } = served()
  const [one, two] = [open(), open()]
  const refused = roomOf(one, "rooms:1", { may: false })
  await expect(refused.joined).rejects.toMatchObject({ code: "join_rejected", reason: { reason: "no" } })
  const room = roomOf(two, "rooms:1", { may: true })
  await room.ready
  expect(one.room("rooms:2", { me: {} }).status).toBe("joining")
  expect(room.status).toBe("live")
})

test("pushes that are on their way when the leader goes are answered, or fail with their timeout", async () => {
  memoryPage()
  const { open } = served()
  const [one, two] = [open(), open()]
  await roomOf(one).ready
  const room = roomOf(two)
  await room.ready
  const pushes = Array.from({ length: 20 }, (_, n) => room.push("ask", { n }, 500))
  one.disconnect()
  for (const [n, outcome] of (await Promise.allSettled(pushes)).entries()) {
    if (outcome.status === "fulfilled") expect(outcome.value).toEqual({ asked: { n } })
    else expect(outcome.reason).toMatchObject({ code: "timeout" })
  }
  expect(two.isLeader).toBe(true)
  expect(await room.push("ask", { n: 20 })).toEqual({ asked: { n: 20 } })
})

test("a sign-out while the tabs choose a leader ends all of them", async () => {
  memoryPage()
  const { open, connections } = served()
  const tabs = Array.from({ length: 4 }, () => open())
  await Promise.all(tabs.map((tab) => roomOf(tab).ready))
  tabs[0]!.disconnect()
  tabs[3]!.disconnectAll()
  await until(() => tabs.every(({ status }) => status === "closed"))
  await until(() => connections() === 0)
  expect(tabs.some(({ isLeader }) => isLeader)).toBe(false)
})

test("a tab that has disconnected can still end the others, also when it is asked to do so twice", async () => {
  memoryPage()
  const { open, connections } = served()
  const tabs = [open(), open()]
  await Promise.all(tabs.map((tab) => roomOf(tab).ready))
  tabs[0]!.disconnect()
  await until(() => tabs[1]!.isLeader)
  tabs[0]!.disconnectAll()
  tabs[0]!.disconnectAll()
  await until(() => tabs[1]!.status === "closed" && connections() === 0)
})

test("tabs ask about keys together, and no longer about those of a tab that is gone", async () => {
  memoryPage()
  const { open, server, connections } = served()
  const asked: string[][] = []
  server.channel(
    "presence:watch",
    watchKeys({
      may: (_channel, keys) => {
        asked.push([...keys].sort())
        return true
      },
      graceMs: 0,
      paceMs: 0,
    }),
  )
  const bob = server.presence.track({ topic: "rooms:9", key: "bob" })
  const [one, two] = [open(), open()]
  const of = one.online(["bob", "carl"])
  await until(() => of.get("bob") === "online" && of.get("carl") === "offline")
  const other = two.online(["bob", "__proto__"])
  await until(() => other.get("bob") === "online" && other.get("__proto__") === "offline")
  expect(of.get("__proto__")).toBeUndefined()
  of.set(["dora"])
  await until(() => of.get("dora") === "offline")
  other.close()
  bob.end()
  const back = two.online(["bob"])
  await until(() => back.get("bob") === "offline")
  expect(connections()).toBe(1)
  one.disconnect()
  await until(() => two.isLeader && back.status === "live")
  // Another connection asks about the keys that are left, once.
  expect(asked.at(-1)).toEqual(["bob"])
  expect(back.get("bob")).toBe("offline")
})

test("ten tabs that are closed and opened again and again come to share one connection", async () => {
  memoryPage()
  const { open, connections, server } = served()
  const tabs: SharedConnection[] = []
  for (const closed of [0, 5, 6, 7, 8, 9]) {
    // From the leader on.
    for (const tab of tabs.splice(0, closed)) tab.disconnect()
    await Promise.resolve()
    while (tabs.length < 10) {
      const tab = open()
      roomOf(tab)
      tabs.push(tab)
    }
  }
  const rooms = tabs.map((tab) => tab.rooms[0]!)
  await until(() => rooms.every(({ status }) => status === "live") && connections() === 1)
  expect(tabs.filter(({ isLeader }) => isLeader)).toHaveLength(1)
  expect(server.presence.list("rooms:1")["ada"]?.metas).toHaveLength(1)
})
