/** Half a surrogate pair, which is left when a name is cut in the middle of an emoji: repaired in values, refused in names. */
import fc from "fast-check"
import { describe, expect, it, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, LongPoll, type Connection, type Transport } from "../../src/client/index.ts"
import { repairJson } from "../../src/client/surrogates.ts"
import { serve } from "../support/serve.ts"

const HALF = "Ada \ud83d"
const REPAIRED = "Ada \ufffd"

/** Returns what `toWellFormed` returns, where the platform has that. */
const wellFormed = (text: string): string => text.replace(/[\ud800-\udfff]/gu, "\ufffd")

describe("repairJson", () => {
  const units = fc.constantFrom("\ud83d", "\ude00", "\\", "u", "d83d", "\\ud83d", '"', "\n", "é", "a")
  const text = fc.array(units).map((parts) => parts.join(""))

  it("writes what JSON.stringify writes for well-formed text, for any value and any key", () => {
    fc.assert(
      fc.property(text, text, (key, value) => {
        const repaired = JSON.parse(repairJson(JSON.stringify({ [key]: [value] }))) as unknown
        expect(repaired).toEqual({ [wellFormed(key)]: [wellFormed(value)] })
      }),
    )
  })

  it("keeps whole pairs that another encoder has written as escapes", () => {
    expect(JSON.parse(repairJson(String.raw`["\uD83D\uDE00","\uD83D","\\ud83d"]`))).toEqual(["😀", "\ufffd", "\\ud83d"])
  })
})

async function setup(transport: Transport = WebSocket) {
  const served = await serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", {
      join: (_topic, params) => ({ ok: params }),
      presence: ({ assigns }) => ({ key: assigns.name, meta: {} }),
      on: {
        echo: (payload) => ({ ok: payload }),
        presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload),
      },
    })
  })
  const connection: Connection = connect(`${served.url.replace("ws", transport === LongPoll ? "http" : "ws")}/socket`, {
    transport,
    params: () => ({ name: HALF }),
  })
  onTestFinished(() => connection.disconnect())
  connection.socket.connect()
  const statuses: string[] = []
  connection.onStatus((status) => statuses.push(status))
  return { connection, statuses }
}

test.each([
  ["a WebSocket", WebSocket as unknown as Transport],
  ["long polling", LongPoll],
])("over %s it is repaired in all values, and the connection stays open", async (_name, transport) => {
  const { connection, statuses } = await setup(transport)
  const room = connection.room("rooms:1", { name: HALF })
  await expect(room.joined).resolves.toEqual({ name: REPAIRED })
  await expect(room.push("echo", { [HALF]: [HALF] })).resolves.toEqual({ [REPAIRED]: [REPAIRED] })
  room.update({ name: HALF, [HALF]: "\ude00" })
  await expect
    .poll(() => room.get(REPAIRED)?.metas[0])
    .toMatchObject({ name: REPAIRED, [REPAIRED]: "\ufffd", phx_ref: expect.any(String) })
  expect(statuses).toEqual(["open"])
})

test("in what identifies it is refused to the caller, and nothing is sent", async () => {
  const { connection, statuses } = await setup()
  expect(() => connection.room(`rooms:${HALF}`)).toThrow(expect.objectContaining({ code: "config" }))
  expect(() => connection.room("rooms:1", {}, { key: HALF })).toThrow(expect.objectContaining({ code: "config" }))
  expect(() => connection.room("rooms:1", {}, { updateEvent: HALF })).toThrow(
    expect.objectContaining({ code: "config" }),
  )
  const room = connection.room("rooms:1")
  await expect(room.push(HALF)).rejects.toMatchObject({
    code: "bad_payload",
    message: expect.not.stringContaining(HALF),
  })
  await expect(room.push("echo", { n: 1 })).resolves.toEqual({ n: 1 })
  expect(statuses).toEqual(["open"])
})
