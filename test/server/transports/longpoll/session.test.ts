import { describe, expect, it } from "vitest"
import { createServer } from "../../../../src/server/index.ts"
import { LongPollSession } from "../../../../src/server/transports/longpoll/session.ts"

const listener = { onPoll: () => undefined, onEnd: () => undefined }

describe("messages that a poll was answered with but that were not delivered", () => {
  it("are kept, even 300 000 of them, and come first in the next poll", () => {
    const session = new LongPollSession(createServer().endpoint, "s", listener)
    const many = Array.from({ length: 300_000 }, (_, n) => String(n))
    for (const data of many) session.send({ data })
    session.poll(() => false)
    session.send({ data: "after" })
    const seen: string[] = []
    session.poll((_status, messages) => {
      seen.push("answered", ...messages.slice(-2), messages[0] as string, String(messages.length))
      return true
    })
    expect(seen).toEqual(["answered", "299999", "after", "0", "300001"])
  })

  it("still count towards maxBufferedBytes while it is not known whether they were delivered", async () => {
    const { endpoint } = createServer({ maxBufferedBytes: 10 })
    const session = new LongPollSession(endpoint, "s", listener)
    session.poll(() => new Promise<boolean>(() => undefined))
    session.send({ data: "123456" })
    session.send({ data: "123456" })
    expect(session.post([])).toBe(200)
    session.send({ data: "123456" })
    expect(session.post([])).toBe(408)
  })
})

describe("a session whose client does not poll", () => {
  it.each([
    ["holds maxBufferedBytes and takes one more message", "é".repeat(5), 200],
    ["ends at the next message once it holds one byte more", `${"é".repeat(5)}x`, 408],
  ])("%s, counted in bytes", (_what, data, status) => {
    const { endpoint } = createServer({ maxBufferedBytes: 10 })
    const session = new LongPollSession(endpoint, "s", listener)
    session.send({ data })
    session.send({ data: "next" })
    expect(session.post([])).toBe(status)
  })

  it("has room again, in bytes, once a poll has taken what was queued", () => {
    const { endpoint } = createServer({ maxBufferedBytes: 10 })
    const session = new LongPollSession(endpoint, "s", listener)
    for (let n = 0; n < 5; n += 1) {
      session.send({ data: "é".repeat(5) })
      session.poll(() => true)
    }
    session.send({ data: "é".repeat(5) })
    session.send({ data: "next" })
    expect(session.post([])).toBe(200)
  })
})
