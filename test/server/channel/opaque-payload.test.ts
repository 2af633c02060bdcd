import { runInNewContext } from "node:vm"
import { describe, expect, it } from "vitest"
import { error, ok, serve } from "../../support/serve.ts"

const OPAQUE: readonly (readonly [string, unknown])[] = [
  ["a Blob", new Blob(["x"])],
  ["a Map", new Map([["a", 1]])],
  ["a Set", new Set([1])],
  ["an ArrayBuffer", new ArrayBuffer(8)],
  ["an Error", new Error("x")],
  ["a promise", Promise.resolve({ a: 1 })],
  ["URL parameters", new URLSearchParams("a=1")],
]

async function serveSending(send: () => unknown) {
  const { client, server } = await serve((server) => {
    server.socket("/socket")
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      on: {
        push: (_payload, channel) => caught(() => channel.push("news", send())),
        broadcast: (_payload, channel) => caught(() => channel.broadcast("news", send())),
      },
    })
  })
  const ada = await client()
  await ada.join("rooms:1")
  return { ada, server }
}

function caught(send: () => void) {
  try {
    send()
    return { ok: {} }
  } catch (error) {
    return { error: (error as { code: string }).code }
  }
}

describe("a payload of which JSON would write only {}", () => {
  it.each(OPAQUE)("is refused with bad_payload when it is pushed or broadcast: %s", async (_what, payload) => {
    const { ada, server } = await serveSending(() => payload)
    expect(await ada.ask("rooms:1", "push")).toEqual(error("bad_payload"))
    expect(await ada.ask("rooms:1", "broadcast")).toEqual(error("bad_payload"))
    expect(() => server.broadcast("rooms:1", "news", payload)).toThrow(expect.objectContaining({ code: "bad_payload" }))
  })

  it("is not one that contains empty values, or a text that looks like one", async () => {
    const payload = { text: "{}", a: {}, b: [], c: [{}], d: null, e: Object.create(null) as object }
    const { ada } = await serveSending(() => payload)
    ada.push("rooms:1", "push")
    const sent = { ...payload, e: {} }
    expect(await ada.next()).toEqual(["rooms:1", null, "rooms:1", "news", sent])
  })

  it.each(OPAQUE)("is refused, too, when it is a part of a payload: %s", async (_what, part) => {
    const { ada } = await serveSending(() => ({ files: [{ empty: {}, part }] }))
    expect(await ada.ask("rooms:1", "push")).toEqual(error("bad_payload"))
    expect(await ada.ask("rooms:1", "broadcast")).toEqual(error("bad_payload"))
  })

  it.each<[string, unknown]>([
    ["an empty object", {}],
    ["an object without a prototype", Object.create(null)],
    ["an object of another realm", runInNewContext("({})")],
    ["an object whose fields are undefined", { a: undefined }],
    [
      "an object that says how it is written",
      new (class {
        toJSON = () => ({})
      })(),
    ],
  ])("is sent when it is %s", async (_what, payload) => {
    const { ada } = await serveSending(() => payload)
    ada.push("rooms:1", "push")
    expect(await ada.next()).toEqual(["rooms:1", null, "rooms:1", "news", {}])
    expect(await ada.next()).toEqual(["rooms:1", "1", "rooms:1", "phx_reply", ok()])
  })
})
