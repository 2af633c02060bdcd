import fc from "fast-check"
import { expect, test } from "vitest"
import { ChunkAssembler, isChunk, chunksOf } from "../../src/pubsub/message-chunks.ts"

const bytes = (length: number, seed = 1): Buffer => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * seed) % 251))
const cut = (frame: Buffer, from = "a", max = 100): Buffer[] => [...chunksOf(frame, from, max)]

function assembly(maxBytes = 10_000): { add(chunk: Buffer): Buffer | undefined; incomplete(): number } {
  let incomplete = 0
  const assembly = new ChunkAssembler(maxBytes, () => void (incomplete += 1))
  return { add: (chunk) => assembly.add(chunk), incomplete: () => incomplete }
}

test("every frame is assembled unchanged, for any chunk size, while chunks of other senders arrive in between", () => {
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
        const chunk = queue.shift()!
        expect(isChunk(chunk)).toBe(true)
        expect(chunk.length).toBeLessThanOrEqual(max)
        const frame = add(chunk)
        if (frame !== undefined) {
          expect(Buffer.compare(frame, bytes(frame.length, frame.length))).toBe(0)
          out.push(frame.length)
        }
        if (queue.length === 0) queues.delete(from)
      }
      expect(new Set(out)).toEqual(new Set(frames.map(([, length]) => length)))
      expect(out.length).toBe(frames.length)
      expect(incomplete()).toBe(0)
    }),
  )
})

test("a frame with a lost chunk is dropped and counted, and the next frame of its sender is assembled", () => {
  const { add, incomplete } = assembly()
  const [first, , third, ...rest] = cut(bytes(500))
  expect([first!, third!, ...rest].map(add).filter(Boolean)).toEqual([])
  // The frame, and each chunk that arrives after it was dropped.
  expect(incomplete()).toBe(1 + rest.length)
  expect(cut(bytes(300)).map(add).at(-1)).toEqual(bytes(300))
})

test("an unfinished frame is dropped and counted when its sender begins another", () => {
  const { add, incomplete } = assembly()
  add(cut(bytes(500))[0]!)
  expect(cut(bytes(300)).map(add).at(-1)).toEqual(bytes(300))
  expect(incomplete()).toBe(1)
})

test("the bytes of all unfinished frames together are limited, and the oldest frame is dropped first", () => {
  const { add, incomplete } = assembly(1000)
  for (let i = 0; i < 100; i += 1) add(cut(bytes(200), `s${i}`)[0]!)
  // A chunk of these carries 83 or 85 bytes: twelve of them fit into the limit.
  expect(incomplete()).toBe(100 - 12)
  const rest = cut(bytes(200), "s99").slice(1)
  expect(rest.map(add).at(-1)).toEqual(bytes(200))
})

test("a frame larger than the limit is dropped and counted", () => {
  const { add, incomplete } = assembly(1000)
  expect(cut(bytes(2000)).map(add).filter(Boolean)).toEqual([])
  // The twelfth of its 23 chunks exceeds the limit; the others arrive after it was dropped.
  expect(incomplete()).toBe(1 + 11)
})

test("malformed chunks are counted, and never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (noise) => {
      const { add } = assembly()
      expect(() => add(Buffer.from([0x50, ...noise]))).not.toThrow()
      expect(() => add(Buffer.from([0x50, 1, ...noise]))).not.toThrow()
    }),
  )
  const { add, incomplete } = assembly()
  add(Buffer.from([0x50]))
  expect(incomplete()).toBe(1)
})
