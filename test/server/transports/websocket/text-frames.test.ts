import { Writable } from "node:stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as ws from "ws"
import type { WebSocket } from "ws"
import { textReader } from "../../../../src/server/transports/websocket/text-frames.ts"

const MAX_BYTES = 60_000
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Writable }
const newReceiver = () => new Receiver({ isServer: true, maxPayload: MAX_BYTES })

interface Frame {
  readonly first: number
  readonly payload: Uint8Array
  readonly isMasked: boolean
}

const [TEXT, CONTINUATION, BINARY, CLOSE, PING] = [1, 0, 2, 8, 9] as const
const FIN = 0x80
const text = (value: string): Frame => ({ first: FIN | TEXT, payload: Buffer.from(value), isMasked: true })
const frame = (first: number, payload: Uint8Array): Frame => ({ first, payload, isMasked: true })

/** Begins like an empty text frame, so that a reader that has lost its place takes it for one. */
const MASK = [0x81, 0x80, 0x21, 0x3d]

/** Returns the bytes of a frame as a client sends it. */
function encode({ first, payload, isMasked }: Frame): Buffer {
  const { length } = payload
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  header[0] = first
  header[1] = (isMasked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (header.length === 4) header.writeUInt16BE(length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2)
  if (!isMasked) return Buffer.concat([header, payload])
  return Buffer.concat([header, Buffer.from(MASK), payload.map((byte, at) => byte ^ MASK[at & 3]!)])
}

/** Cuts bytes at the given positions. Each chunk is a copy, because a receiver removes the masks in place. */
function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...new Set(at.map((position) => position % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => Buffer.from(bytes.subarray(ends[index - 1] ?? 0, end)))
}

/** Returns what a connection gets of chunks, in order: its messages, pings, close frame and error. With or without our reader. */
async function receivedOf(chunks: readonly Buffer[], isOurs: boolean) {
  const receiver = newReceiver()
  const events: unknown[] = []
  let direct = 0
  let isOver = false
  receiver
    .on("message", (data: Buffer, isBinary: boolean) => events.push(isBinary ? [...data] : data.toString()))
    .on("ping", (data: Buffer) => events.push(`ping ${data.toString("hex")}`))
    .on("conclude", (code: number) => {
      events.push(`close ${code}`)
      isOver = true
    })
    .on("error", (error: Error & { code?: string }) => events.push(`error ${error.code}`))
  if (isOurs) {
    const read = textReader<WebSocket>(MAX_BYTES, (_, message, bytes) => {
      direct += 1
      expect(bytes).toBe(Buffer.byteLength(message))
      events.push(message)
    })
    read({ _receiver: receiver } as unknown as WebSocket)
  }
  // `ws` writes nothing after a close frame.
  for (const chunk of chunks) if (!isOver) receiver.write(chunk)
  await new Promise((resolve) => setImmediate(resolve))
  return { events, direct }
}

const texts = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc
    .tuple(fc.constantFrom("x", "é", "漢", "😀"), fc.constantFrom(62, 63, 125, 126, 127, 128, 21_845, 65_535, 65_536))
    .map(([unit, length]) => unit.repeat(length)),
)
const proper = fc.oneof(
  { arbitrary: texts.map((value) => [text(value)]), weight: 6 },
  { arbitrary: fc.uint8Array({ maxLength: 130 }).map((bytes) => [frame(FIN | BINARY, bytes)]), weight: 1 },
  { arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => [frame(FIN | PING, bytes)]), weight: 1 },
  {
    arbitrary: fc
      .tuple(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }))
      .map(([a, b]) => [frame(TEXT, Buffer.from(a)), frame(FIN | CONTINUATION, Buffer.from(b))]),
    weight: 1,
  },
)
/** Frames after which a connection ends: too large, not UTF-8, not masked, with a reserved bit, a part of no message, a close. */
const LAST: readonly Frame[] = [
  text("x".repeat(MAX_BYTES + 1)),
  frame(FIN | TEXT, Uint8Array.of(0x61, 0xc3)),
  frame(FIN | TEXT, Uint8Array.of(0xed, 0xa0, 0x80)),
  // With the mask applied twice, it would be UTF-8.
  frame(FIN | TEXT, Uint8Array.of(0xe0, 0x9b)),
  { first: FIN | TEXT, payload: Buffer.from("plain"), isMasked: false },
  { first: FIN | TEXT, payload: new Uint8Array(), isMasked: false },
  frame(FIN | TEXT | 0x40, Buffer.from("compressed")),
  frame(FIN | TEXT | 0x20, Buffer.from("reserved")),
  frame(FIN | CONTINUATION, Buffer.from("of nothing")),
  frame(FIN | CLOSE, Uint8Array.of(0x03, 0xe8)),
  // The next frame is in the middle of this message.
  frame(TEXT, Buffer.from("begun")),
]
const streams = fc
  .tuple(
    fc.array(proper, { maxLength: 6 }),
    fc.option(fc.constantFrom(...LAST), { nil: undefined }),
    fc.array(proper, { maxLength: 2 }),
  )
  .map(([before, end, after]) => [...before.flat(), ...(end === undefined ? [] : [end]), ...after.flat()])

describe("the reader of text frames", () => {
  const expectSame = async (frames: readonly Frame[], at: readonly number[]) => {
    const bytes = Buffer.concat(frames.map(encode))
    const [ours, theirs] = [await receivedOf(cut(bytes, at), true), await receivedOf(cut(bytes, at), false)]
    expect(ours.events).toEqual(theirs.events)
  }

  it("gives a connection what the receiver of ws would give it, for any frames in any chunks", async () => {
    await fc.assert(
      fc.asyncProperty(streams, fc.array(fc.nat(), { maxLength: 6 }), (frames, at) => expectSame(frames, at)),
      { numRuns: 100 },
    )
  })

  it.each(LAST.map((end) => [end.first.toString(16), end.payload.length, end] as const))(
    "does so wherever a chunk ends, also around a frame 0x%s of %i bytes that ends the connection",
    async (_first, _size, end) => {
      const frames = [text("x"), frame(TEXT, Buffer.from("a")), frame(FIN | CONTINUATION, Buffer.from("b")), end]
      const after = [text("y".repeat(140)), text("z")]
      const { length } = Buffer.concat(frames.map(encode))
      for (let at = 1; at <= length; at += 1) {
        // All positions of the headers and of small payloads, and the end of a large one.
        if (at < 50 || at > length - 3) await expectSame([...frames, ...after], [at])
      }
    },
  )

  it("reads whole messages itself, also several of one chunk and those that are not ASCII", async () => {
    const messages = ["one", "", "zwei Wörter", "x".repeat(126), "漢".repeat(300)]
    const { events, direct } = await receivedOf([Buffer.concat(messages.map(text).map(encode))], true)
    expect(events).toEqual(messages)
    expect(direct).toBe(messages.length)
  })

  it("leaves a message that arrives in two chunks to ws, and reads the next ones itself", async () => {
    const bytes = Buffer.concat([text("first"), text("second"), text("third")].map(encode))
    const chunks = [...cut(bytes, [14]), encode(text("fourth"))]
    const { events, direct } = await receivedOf(chunks, true)
    expect(events).toEqual(["first", "second", "third", "fourth"])
    expect(direct).toBe(2)
  })

  it("leaves all bytes to a receiver whose state has other names, as that of a later version may have", async () => {
    const written: Buffer[] = []
    const other = new Writable({
      write(chunk: Buffer, _, done) {
        written.push(chunk)
        done()
      },
    })
    const read = textReader<WebSocket>(MAX_BYTES, () => expect.unreachable())
    read({ _receiver: other } as unknown as WebSocket)
    const bytes = encode(text("one"))
    expect(other.write(bytes)).toBe(true)
    expect(written).toEqual([bytes])
    read({} as WebSocket)
  })
})
