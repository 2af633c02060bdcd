import { afterEach, expect, test } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Server, ServerOptions } from "../../../src/server/index.ts"
import { memoryTransport } from "../../../src/testing/index.ts"
import { Presence, disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"

// `fetch` adds data beside the metas (T39). It is called once for all keys that are new to a topic.
const servers: Server<{ name: string }>[] = []
const TOPIC = "rooms:1"

afterEach(async () => {
  disconnectAll()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

function serverWith(fetch: NonNullable<ServerOptions["fetch"]>, options: ServerOptions = {}) {
  const counts = new Map<string, number>()
  const meter = { count: (name: string, by: number) => void counts.set(name, (counts.get(name) ?? 0) + by) }
  const logger = { warn: () => undefined, error: () => undefined }
  // A fetch that the test answers must not end by itself.
  const server = createServer<{ name: string }>({ fetch, fetchTimeoutMs: 600_000, meter, logger, ...options })
  const { presence } = server
  servers.push(server)
  server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "guest" }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    joined(channel) {
      presence.track(channel, channel.assigns.name, { device: "web" })
      channel.push("presence_state", presence.list(channel.topic))
    },
    on: { presence_update: (payload, channel) => presence.handleUpdate(channel, payload) },
  })
  const memory = memoryTransport(server)
  function join(name: string) {
    const socket = officialSocket("ws://memory", { name }, { transport: memory.WebSocket })
    const channel = socket.channel(TOPIC, {})
    const view = new Presence(channel)
    const frames: [string, any][] = []
    for (const event of ["presence_state", "presence_diff"]) {
      channel.on(event, (payload: unknown) => frames.push([event, payload]))
    }
    channel.join()
    return { socket, channel, view, frames }
  }
  return { server, presence, join, counts }
}

const shown = ({ view }: { view: any }): Record<string, unknown> =>
  Object.fromEntries(view.list((key: string, { metas, ...fields }: any) => [key, [metas.length, fields]]))

/** A fetch that the test answers. */
function manual() {
  const calls: { topic: string; keys: readonly string[]; answer(found: object): void; fail(): void }[] = []
  const fetch = (topic: string, keys: readonly string[]): Promise<Record<string, object>> =>
    new Promise((resolve, reject) => {
      calls.push({
        topic,
        keys,
        answer: (found) => resolve(found as never),
        fail: () => reject(new Error("on purpose")),
      })
    })
  return { calls, fetch }
}

test("clients get the fetched fields of each user, in their state and in their diffs", async () => {
  const { join, presence } = serverWith((_topic, keys) =>
    Object.fromEntries(keys.map((key) => [key, { name: key.toUpperCase() }])),
  )
  const ada = join("ada")
  await expect.poll(() => shown(ada)).toEqual({ ada: [1, { name: "ADA" }] })
  const bob = join("bob")
  const both = { ada: [1, { name: "ADA" }], bob: [1, { name: "BOB" }] }
  await expect.poll(() => shown(ada)).toEqual(both)
  await expect.poll(() => shown(bob)).toEqual(both)
  expect(presence.get(TOPIC, "bob")).toMatchObject({ name: "BOB", metas: [{ device: "web" }] })
  expect(presence.list(TOPIC)["ada"]).toMatchObject({ name: "ADA" })
})

test("fetch is called once for all users that join in one turn, and not again for their further devices", async () => {
  const calls: (readonly string[])[] = []
  const { join } = serverWith((_topic, keys) => {
    calls.push(keys)
    return {}
  })
  const members = ["ada", "bob", "cy"].map(join)
  for (const member of members) await expect.poll(() => Object.keys(shown(member)).sort()).toEqual(["ada", "bob", "cy"])
  expect(calls.flat().sort()).toEqual(["ada", "bob", "cy"])
  const second = join("ada")
  await expect.poll(() => shown(second)["ada"]).toEqual([2, {}])
  expect(calls.flat().filter((key) => key === "bob")).toEqual(["bob"])
})

test("a diff waits for its fetch, and later diffs wait behind it", async () => {
  const { calls, fetch } = manual()
  const { join, presence } = serverWith(fetch)
  const ada = join("ada")
  await expect.poll(() => calls.length).toBe(1)
  calls[0]?.answer({ ada: { n: 1 } })
  await expect.poll(() => shown(ada)).toEqual({ ada: [1, { n: 1 }] })
  const bob = join("bob")
  await expect.poll(() => calls.length).toBe(2)
  const cy = join("cy")
  await expect.poll(() => calls.length).toBe(3)
  calls[2]?.answer({ cy: { n: 3 } })
  await reply(ada.channel.push("presence_update", { meta: { device: "phone" } }))
  expect(Object.keys(presence.list(TOPIC))).toEqual(["ada"])
  calls[1]?.answer({ bob: { n: 2 } })
  const all = { ada: [1, { n: 1 }], bob: [1, { n: 2 }], cy: [1, { n: 3 }] }
  for (const member of [ada, bob, cy]) await expect.poll(() => shown(member)).toEqual(all)
  const joined = ada.frames.flatMap(([event, payload]) => (event === "presence_diff" ? Object.keys(payload.joins) : []))
  expect(joined).toEqual(["bob", "cy", "ada"])
})

test("fetched fields are in the last leave of a user, are forgotten with it, and are fetched again when the user returns", async () => {
  const names = ["first", "second"]
  const { join } = serverWith((_topic, keys) => (keys.includes("bob") ? { bob: { name: names.shift() } } : {}))
  const ada = join("ada")
  const [bob, again] = [join("bob"), join("bob")]
  await expect.poll(() => shown(ada)["bob"]).toEqual([2, { name: "first" }])
  bob.socket.disconnect()
  await expect.poll(() => shown(ada)["bob"]).toEqual([1, { name: "first" }])
  again.socket.disconnect()
  await expect.poll(() => shown(ada)["bob"]).toBeUndefined()
  expect(ada.frames.at(-1)?.[1].leaves.bob).toMatchObject({ name: "first" })
  join("bob")
  await expect.poll(() => shown(ada)["bob"]).toEqual([1, { name: "second" }])
})

test.for([
  ["fails", (_topic: string, _keys: readonly string[]) => Promise.reject(new Error("on purpose"))],
  [
    "throws",
    () => {
      throw new Error("on purpose")
    },
  ],
  ["never settles", () => new Promise<never>(() => undefined)],
  ["resolves with null", () => null as never],
  ["resolves with fields that are no JSON", () => ({ ada: { id: 10n } })],
] as const)("the diff of a fetch that %s is sent without fields, and the failure is counted", async ([, fetch]) => {
  const { join, counts } = serverWith(fetch, { fetchTimeoutMs: 5 })
  const ada = join("ada")
  await expect.poll(() => shown(ada)).toEqual({ ada: [1, {}] })
  expect(counts.get("failed_fetches")).toBe(1)
})

test("fields are fetched again for a user that leaves and returns while another fetch is pending", async () => {
  const { calls, fetch } = manual()
  const { join, server } = serverWith(fetch)
  const [watcher, ada] = [join("watcher"), join("ada")]
  await expect.poll(() => calls.flatMap(({ keys }) => keys).length).toBe(2)
  for (const { keys, answer } of calls) answer(Object.fromEntries(keys.map((key) => [key, { n: 1 }])))
  await expect.poll(() => shown(watcher)).toEqual({ watcher: [1, { n: 1 }], ada: [1, { n: 1 }] })
  const before = calls.length
  join("slow")
  await expect.poll(() => calls.length).toBe(before + 1)
  ada.socket.disconnect()
  // A busy server ends the channel in a later turn of the event loop.
  await expect.poll(() => server.stats().channels).toBe(2)
  await reply(watcher.channel.push("presence_update", { meta: { device: "phone" } }))
  join("ada")
  await expect.poll(() => calls.flatMap(({ keys }) => keys).filter((key) => key === "ada").length).toBe(2)
  for (const { keys, answer } of calls.slice(before)) answer(Object.fromEntries(keys.map((key) => [key, { n: 2 }])))
  await expect.poll(() => shown(watcher)).toMatchObject({ slow: [1, { n: 2 }], ada: [1, { n: 2 }] })
})

test("fields that are not JSON are left out, and the fields of other users are sent", async () => {
  const { join, counts } = serverWith((_topic, keys) =>
    Object.fromEntries(keys.map((key) => [key, { id: key === "ada" ? 10n : 11 }])),
  )
  const [ada, bob] = [join("ada"), join("bob")]
  for (const each of [ada, bob]) await expect.poll(() => shown(each)).toEqual({ ada: [1, {}], bob: [1, { id: 11 }] })
  expect(counts.get("failed_fetches")).toBe(1)
})

test("fields are copied: later changes of the fetched object are not sent", async () => {
  const row = { name: "Ada" }
  const { join, presence } = serverWith(() => ({ ada: row }))
  const ada = join("ada")
  await expect.poll(() => shown(ada)).toEqual({ ada: [1, { name: "Ada" }] })
  row.name = "Eve"
  expect(presence.get(TOPIC, "ada")).toMatchObject({ name: "Ada" })
})

test("a fetched field called metas is ignored, and __proto__ is a key like any other", async () => {
  const { join } = serverWith(() => Object.fromEntries([["__proto__", { metas: "mine", fine: true }]]))
  const evil = join("__proto__")
  await expect.poll(() => evil.view.list((key: string) => key)).toEqual(["__proto__"])
  expect(evil.view.list()[0]).toMatchObject({ fine: true, metas: [{ device: "web" }] })
})
