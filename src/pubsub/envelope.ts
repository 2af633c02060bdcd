import type { EnginePubSub } from "./engine-pubsub.ts"

/** What a message carries across a shared engine besides its payload. */
export interface Envelope {
  readonly namespace: string
  readonly from: string
  readonly topic: string
  readonly bytes: Uint8Array
}

const MAGIC = 0x52
const VERSION = 1
const FIXED = 8

/**
 * Seals an envelope: `'R'`, the version, the lengths of namespace and sender (one byte each) and of the topic (four),
 * these three strings, the payload. Lengths count UTF-16 units.
 *
 * The strings travel as UTF-16: in UTF-8 a lone surrogate turns into U+FFFD, so that a message for the topic `"\ud800"`,
 * which any client may name, would reach those who listen to `"\ufffd"`.
 */
export function seal({ namespace, from, topic, bytes }: Envelope): Buffer {
  const names = namespace + from + topic
  const frame = Buffer.allocUnsafe(FIXED + 2 * names.length + bytes.length)
  frame[0] = MAGIC
  frame[1] = VERSION
  frame[2] = namespace.length
  frame[3] = from.length
  frame.writeUInt32BE(topic.length, 4)
  frame.write(names, FIXED, "utf16le")
  frame.set(bytes, FIXED + 2 * names.length)
  return frame
}

/** Opens an envelope; the payload is a view of the frame. What cannot be opened is named by the reason to drop it. */
export function open(frame: Buffer): Envelope | "garbage" | "version" {
  if (frame.length < FIXED || frame[0] !== MAGIC) return "garbage"
  if (frame[1] !== VERSION) return "version"
  const from = frame[2]!
  const topic = from + frame[3]!
  const length = topic + frame.readUInt32BE(4)
  const end = FIXED + 2 * length
  if (end > frame.length) return "garbage"
  const names = frame.toString("utf16le", FIXED, end)
  return {
    namespace: names.slice(0, from),
    from: names.slice(from, topic),
    topic: names.slice(topic),
    bytes: frame.subarray(end),
  }
}

/** Opens what arrived over a shared engine and hands it on, or counts why not. */
export function accept(endpoint: EnginePubSub, frame: Buffer): void {
  const envelope = open(frame)
  if (typeof envelope === "string") endpoint.drop(envelope)
  else if (envelope.namespace !== endpoint.namespace) endpoint.drop("foreign")
  else endpoint.deliver(envelope.from, envelope.topic, envelope.bytes)
}
