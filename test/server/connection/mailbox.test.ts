import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Mailbox } from "../../../src/server/connection/mailbox.ts"
import type { Mail } from "../../../src/server/connection/mailbox.ts"

const takeAll = (mailbox: Mailbox): (Mail | undefined)[] => {
  const all = []
  while (mailbox.isHolding) all.push(mailbox.take())
  return all
}

describe("a mailbox", () => {
  it("returns its mail in order, and accepts more until `take` finds it empty", () => {
    const mailbox = new Mailbox()
    expect(mailbox.isHolding).toBe(false)
    mailbox.open()
    mailbox.add({ kind: "close", code: 1 })
    expect(mailbox.take()).toEqual({ kind: "close", code: 1 })
    expect(mailbox.isHolding).toBe(true)
    mailbox.add({ kind: "close", code: 2 })
    expect(takeAll(mailbox)).toEqual([{ kind: "close", code: 2 }, undefined])
    expect(mailbox.isHolding).toBe(false)
  })

  it("keeps the order of mail that is added and taken out alternately, and counts the bytes that it holds", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant("take"), fc.string()), { maxLength: 1_000 }), (steps) => {
        const mailbox = new Mailbox()
        const expected: string[] = []
        for (const step of steps) {
          if (step === "take") {
            const mail = mailbox.take()
            expect(mail?.kind === "frame" ? mail.frame.data : undefined).toBe(expected.shift())
          } else {
            mailbox.addFrame({ data: step })
            expected.push(step)
          }
          expect(mailbox.frameBytes).toBe(Buffer.byteLength(expected.join("")))
        }
      }),
    )
  })

  it("counts the bytes of a frame around a shared text from its parts", () => {
    const mailbox = new Mailbox()
    mailbox.addFrame({ data: "[é]", parts: ["[", { text: "é" }, "]"] })
    mailbox.addFrame({ data: "[é]", parts: ["[", { text: "é", bytes: Buffer.from("é") }, "]"] })
    expect(mailbox.frameBytes).toBe(8)
    mailbox.take()
    expect(mailbox.frameBytes).toBe(4)
    mailbox.clear()
    expect([mailbox.frameBytes, mailbox.isHolding, mailbox.take()]).toEqual([0, false, undefined])
  })
})
