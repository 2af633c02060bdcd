import { describe, expect, it } from "vitest"
import { createServer } from "../../../../src/server/index.ts"
import { LongPollSession } from "../../../../src/server/transports/longpoll/session.ts"

const keeper = { polled: () => undefined, ended: () => undefined }

describe("messages that are given away", () => {
  it("and not taken are kept, however many there are, and come first in the next poll", () => {
    const session = new LongPollSession(createServer().endpoint, "s", keeper)
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

  it("and not taken still count as waiting, so that what waits stays bounded", async () => {
    const { endpoint } = createServer({ maxBufferedBytes: 10 })
    const session = new LongPollSession(endpoint, "s", keeper)
    session.poll(() => new Promise<boolean>(() => undefined))
    session.send({ data: "123456" })
    session.send({ data: "123456" })
    expect(session.post([])).toBe(200)
    session.send({ data: "123456" })
    expect(session.post([])).toBe(408)
  })
})
