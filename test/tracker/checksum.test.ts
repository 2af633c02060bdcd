import fc from "fast-check"
import { expect, test } from "vitest"
import { decodeMessage, encodeMessage } from "../../src/tracker/tracker-messages.ts"
import { FaultyBus } from "../support/faulty-bus.ts"
import { SeededCluster } from "./seeded-cluster.ts"

const MESSAGE = encodeMessage({
  type: "transferRequest",
  ref: "n1AAAAAAAAAA",
  shards: 1,
  acceptsPacked: true,
  clocks: new Map([["n1AAAAAAAAAA", 17]]),
})
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

test("a message with any byte replaced is refused", () => {
  for (let at = 0; at < MESSAGE.length; at += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      if (byte === MESSAGE[at]) continue
      const altered = MESSAGE.slice()
      altered[at] = byte
      expect(decodeMessage(altered), `${at} ${byte}`).toBe("garbage")
    }
  }
})

test("a message that is cut off, doubled or put behind other bytes is refused, or is still the whole message", () => {
  const whole = decodeMessage(MESSAGE)
  for (let end = 0; end < MESSAGE.length; end += 1) {
    const cut = MESSAGE.subarray(0, end)
    const isWhole = text(cut) === text(MESSAGE).trimEnd()
    expect(decodeMessage(cut), `${end}`).toEqual(isWhole ? whole : "garbage")
    expect(decodeMessage(new Uint8Array([...cut, ...MESSAGE]))).toEqual(end === 0 ? whole : "garbage")
  }
})

test("a message with several bytes replaced is refused", () => {
  const changes = fc.array(fc.tuple(fc.nat(MESSAGE.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 2 })
  fc.assert(
    fc.property(changes, (changes) => {
      const altered = MESSAGE.slice()
      for (const [at, byte] of changes) altered[at] = byte
      fc.pre(text(altered) !== text(MESSAGE))
      expect(decodeMessage(altered)).toBe("garbage")
    }),
  )
})

test("a message of an older release, which has no checksum, is accepted", () => {
  const older = new TextEncoder().encode(text(MESSAGE).trimEnd())
  expect(decodeMessage(older)).toEqual(decodeMessage(MESSAGE))
  // An older release reads a message with a checksum: JSON may end with white space.
  expect(JSON.parse(text(MESSAGE))).toEqual(JSON.parse(text(older)))
})

test("a presence whose message was altered is requested again and shown as it was tracked", async () => {
  const incoming = new FaultyBus()
  const cluster = new SeededCluster()
  const [a, b] = [cluster.start("a"), cluster.start("b", {}, incoming)]
  await cluster.run(100)
  incoming.change = (bytes) => new TextEncoder().encode(text(bytes).replace("here", "gone"))
  a.tracker.track("1", "room", "ada", { status: "here" })
  await cluster.run(1000)
  expect(b.keys()).toEqual([])
  expect(b.counts.get("tracker_refused_garbage")).toBeGreaterThan(0)
  incoming.change = undefined
  await cluster.run(3100)
  expect(b.tracker.list("room").map(({ meta }) => meta["status"])).toEqual(["here"])
})
