import type { EnginePubSub } from "./engine-pubsub.ts"

/** One message on a shared engine: a payload with its namespace, sender and topic. */
export interface Envelope {
  readonly namespace: string
  readonly from: string
  readonly topic: string
  readonly bytes: Uint8Array
}

const MAGIC = 0x52
const VERSION = 1
const HEADER_SIZE = 8

/**
 * Encodes an envelope.
 *
 * The layout: `'R'`, the version, the lengths of namespace and sender (one byte each) and of the topic (four bytes),
 * then these three strings, then the payload. Lengths count UTF-16 units.
 *
 * Strings are written as UTF-16. UTF-8 would turn a lone surrogate into U+FFFD: a message for the topic `"\ud800"`,
 * which any client may name, would reach the subscribers of `"\ufffd"`.
 */
export function encodeEnvelope({ namespace, from, topic, bytes }: Envelope): Buffer {
  const names = namespace + from + topic
  const frame = Buffer.allocUnsafe(HEADER_SIZE + 2 * names.length + bytes.length)
  frame[0] = MAGIC
  frame[1] = VERSION
  frame[2] = namespace.length
  frame[3] = from.length
  frame.writeUInt32BE(topic.length, 4)
  frame.write(names, HEADER_SIZE, "utf16le")
  frame.set(bytes, HEADER_SIZE + 2 * names.length)
  return frame
}

/** Decodes an envelope, with the payload as a view of the frame. Returns the drop reason if the frame is invalid. */
export function decodeEnvelope(frame: Buffer): Envelope | "garbage" | "version" {
  if (frame.length < HEADER_SIZE || frame[0] !== MAGIC) return "garbage"
  if (frame[1] !== VERSION) return "version"
  const fromStart = frame[2]!
  const topicStart = fromStart + frame[3]!
  const length = topicStart + frame.readUInt32BE(4)
  const end = HEADER_SIZE + 2 * length
  if (end > frame.length) return "garbage"
  const names = frame.toString("utf16le", HEADER_SIZE, end)
  return {
    namespace: names.slice(0, fromStart),
    from: names.slice(fromStart, topicStart),
    topic: names.slice(topicStart),
    bytes: frame.subarray(end),
  }
}

/** Delivers a frame that arrived on a shared engine, or counts why it is dropped. */
export function deliverEnvelope(pubsub: EnginePubSub, frame: Buffer): void {
  const envelope = decodeEnvelope(frame)
  if (typeof envelope === "string") pubsub.drop(envelope)
  else if (envelope.namespace !== pubsub.namespace) pubsub.drop("foreign")
  else pubsub.deliver(envelope.from, envelope.topic, envelope.bytes)
}
