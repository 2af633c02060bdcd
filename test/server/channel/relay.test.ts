import { describe, expect, it } from "vitest"
import { z } from "zod"
import { relay } from "../../../src/server/index.ts"
import type { RelayOptions, Server, StandardSchema } from "../../../src/server/index.ts"
import { error, ok, serve } from "../../support/serve.ts"
import type { Client } from "../../support/serve.ts"

/** A room that relays `cursor`, with clients that are tracked under their names; one without a name is not tracked. */
async function room(options?: RelayOptions) {
  const served = await serve<{ name: string }>((server: Server<{ name: string }>) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: ({ assigns }) => (assigns.name === "" ? undefined : { key: assigns.name }),
      on: { cursor: relay(options) },
    })
  })
  const enter = async (name: string): Promise<Client> => {
    const client = await served.client(`name=${name}`)
    await client.join("rooms:1")
    await client.rest()
    return client
  }
  const [ada, bob, spy] = [await enter("ada"), await enter("bob"), await enter("")]
  await Promise.all([ada.rest(), bob.rest(), spy.rest()])
  return { ...served, ada, bob, spy }
}

const cursors = async (client: Client): Promise<unknown[]> =>
  ((await client.rest()) as unknown[][]).filter(([, , , event]) => event === "cursor").map((frame) => frame[4])

describe("relay", () => {
  it("sends a client's event to all others of the topic, with the presence key of the sender, and replies ok", async () => {
    const { ada, bob, spy } = await room()
    expect(await ada.ask("rooms:1", "cursor", { x: 1, y: 2 })).toEqual(ok())
    expect(await Promise.all([ada, bob, spy].map(cursors))).toEqual([
      [],
      [{ x: 1, y: 2, from: "ada" }],
      [{ x: 1, y: 2, from: "ada" }],
    ])
  })

  it("does not let a client pass for another one, nor one that is not tracked for anybody", async () => {
    const { ada, bob, spy } = await room()
    await bob.ask("rooms:1", "cursor", { x: 1, from: "ada" })
    await spy.rest()
    await spy.ask("rooms:1", "cursor", { x: 2, from: "ada" })
    expect(await cursors(ada)).toEqual([{ x: 1, from: "bob" }, { x: 2 }])
  })

  it("adds no sender with from: false, and keeps the client's own field", async () => {
    const { ada, bob } = await room({ from: false })
    await ada.ask("rooms:1", "cursor", { from: 3, to: 5 })
    expect(await cursors(bob)).toEqual([{ from: 3, to: 5 }])
  })

  it("sends no ok with reply: false, but refusals", async () => {
    const { ada, bob } = await room({ reply: false, schema: z.object({ x: z.number() }) })
    ada.push("rooms:1", "cursor", { x: 1 })
    ada.push("rooms:1", "cursor", { x: "one" })
    expect(await ada.rest()).toMatchObject([{ 3: "phx_reply", 4: { status: "error" } }])
    expect(await cursors(bob)).toEqual([{ x: 1, from: "ada" }])
  })

  it("with a schema refuses an invalid payload with the reason, the field and the message, and tells nobody else", async () => {
    const { ada, bob, counted } = await room({
      schema: z.object({ at: z.object({ x: z.number("must be a number") }) }),
    })
    expect(await ada.ask("rooms:1", "cursor", { at: { x: "left" } })).toEqual(
      error({ reason: "invalid_payload", field: "at.x", message: "must be a number" }),
    )
    expect(await cursors(bob)).toEqual([])
    expect(counted.get("channel_crashes")).toBeUndefined()
  })

  it("with a schema sends what the schema returns", async () => {
    const { ada, bob } = await room({ schema: z.object({ x: z.number(), color: z.string().default("gray") }) })
    await ada.ask("rooms:1", "cursor", { x: 1, unknown: true })
    expect(await cursors(bob)).toEqual([{ x: 1, color: "gray", from: "ada" }])
  })

  it.each([[[1, 2]], ["text"], [7], [null]])("refuses a payload that no event can have: %j", async (payload) => {
    const { ada, bob, counted } = await room()
    expect(await ada.ask("rooms:1", "cursor", payload)).toMatchObject({
      status: "error",
      response: { reason: "invalid_payload" },
    })
    expect(await cursors(bob)).toEqual([])
    expect(counted.get("channel_crashes")).toBeUndefined()
  })

  it("relays a payload with __proto__ without a change of any prototype", async () => {
    const { ada, bob } = await room()
    ada.socket.send('["rooms:1","1","rooms:1","cursor",{"__proto__":{"x":1},"y":2}]')
    await ada.rest()
    await bob.socket.settled()
    expect(bob.socket.inbox.rest().join()).toContain('{"__proto__":{"x":1},"y":2,"from":"ada"}')
  })

  it("crashes the channel, and logs it, for a schema that validates asynchronously; the rejection is not unhandled", async () => {
    const late = async () => Promise.reject(new Error("late"))
    const { ada, bob, logged } = await room({ schema: { "~standard": { version: 1, vendor: "mine", validate: late } } })
    ada.push("rooms:1", "cursor", { x: 1 })
    expect(await ada.next()).toMatchObject({ 3: "phx_error" })
    expect(await cursors(bob)).toEqual([])
    expect(logged).toMatchObject([
      { details: { error: { code: "config", message: expect.stringContaining("validates synchronously") } } },
    ])
  })

  it("refuses at once what is no schema", () => {
    const schema = { parse: () => undefined } as unknown as StandardSchema
    expect(() => relay({ schema })).toThrow("expected schema to be a Standard Schema")
  })
})
