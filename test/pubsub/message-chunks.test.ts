import fc from "fast-check"
import { expect, test } from "vitest"
import { ChunkAssembler, isChunk, chunksOf } from "../../src/pubsub/message-chunks.ts"

const bytes = (length: number, seed = 1): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * seed) % 251))
const cut = (frame: Buffer, from = "a", max = 100): Buffer[] => [...chunksOf(frame, from, max)]

function assembly(maxBytes = 10_000): { add(part: Buffer): Buffer | undefined; incomplete(): number } {
  let incomplete = 0
  const assembly = new ChunkAssembler(maxBytes, () => void (incomplete += 1))
  return { add: (part) => assembly.add(part), incomplete: () => incomplete }
}

test("a frame comes out as it went in, however it is cut, while others are on their way", () => {
  const frames = fc.array(fc.tuple(fc.constantFrom("a", "b", "ü"), fc.integer({ min: 1, max: 900 })), { maxLength: 20 })
  fc.assert(
    fc.property(frames, fc.integer({ min: 20, max: 200 }), fc.infiniteStream(fc.nat()), (frames, max, choose) => {
      const { add, incomplete } = assembly(100_000)
      const queues = new Map<string, Buffer[]>()
      for (const [from, length] of frames) {
        queues.set(from, [...(queues.get(from) ?? []), ...cut(bytes(length, length), from, max)])
      }
      const out: number[] = []
      while (queues.size > 0) {
        const senders = [...queues.keys()]
        const from = senders[choose.next().value % senders.length]!
        const queue = queues.get(from)!
        const part = queue.shift()!
        expect(isChunk(part)).toBe(true)
        expect(part.length).toBeLessThanOrEqual(max)
        const whole = add(part)
        if (whole !== undefined) {
          expect(Buffer.compare(whole, bytes(whole.length, whole.length))).toBe(0)
          out.push(whole.length)
        }
        if (queue.length === 0) queues.delete(from)
      }
      expect(new Set(out)).toEqual(new Set(frames.map(([, length]) => length)))
      expect(out.length).toBe(frames.length)
      expect(incomplete()).toBe(0)
    }),
  )
})

test("a frame with a gap is dropped and counted, and the next one is not harmed", () => {
  const { add, incomplete } = assembly()
  const [first, , third, ...rest] = cut(bytes(500))
  expect([first!, third!, ...rest].map(add)).not.toContainEqual(expect.anything())
  expect(incomplete()).toBeGreaterThanOrEqual(1)
  expect(cut(bytes(300)).map(add).at(-1)).toEqual(bytes(300))
})

test("a frame that breaks off is dropped when its sender begins another", () => {
  const { add, incomplete } = assembly()
  add(cut(bytes(500))[0]!)
  expect(cut(bytes(300)).map(add).at(-1)).toEqual(bytes(300))
  expect(incomplete()).toBe(1)
})

test("what waits is bounded over all senders: the one that waits longest goes first", () => {
  const { add, incomplete } = assembly(1000)
  for (let i = 0; i < 100; i += 1) add(cut(bytes(200), `s${i}`)[0]!)
  expect(incomplete()).toBeGreaterThan(85)
  const rest = cut(bytes(200), "s99").slice(1)
  expect(rest.map(add).at(-1)).toEqual(bytes(200))
})

test("a frame larger than all that may wait never comes together", () => {
  const { add } = assembly(1000)
  expect(cut(bytes(2000)).map(add)).not.toContainEqual(expect.anything())
})

test("bytes that only look like a part are counted, and never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
      const { add } = assembly()
      add(Buffer.from([0x50, ...noise]))
      add(Buffer.from([0x50, 1, ...noise]))
    }),
  )
  const { add, incomplete } = assembly()
  add(Buffer.from([0x50]))
  expect(incomplete()).toBe(1)
})
