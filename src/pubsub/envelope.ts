import type { Endpoint } from "./endpoint.ts"

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
  const frame = Buffer.allocUnsafe(FIXED + 2 * (namespace.length + from.length + topic.length) + bytes.length)
  frame[0] = MAGIC
  frame[1] = VERSION
  frame[2] = namespace.length
  frame[3] = from.length
  frame.writeUInt32BE(topic.length, 4)
  let at = FIXED
  for (const text of [namespace, from, topic]) at += frame.write(text, at, "utf16le")
  frame.set(bytes, at)
  return frame
}

/** Opens an envelope; the payload is a view of the frame. What cannot be opened is named by the reason to drop it. */
export function open(frame: Buffer): Envelope | "garbage" | "version" {
  if (frame.length < FIXED || frame[0] !== MAGIC) return "garbage"
  if (frame[1] !== VERSION) return "version"
  const ends = [frame[2]!, frame[3]!, frame.readUInt32BE(4)]
  const texts: string[] = []
  let at = FIXED
  for (const length of ends) {
    const end = at + 2 * length
    if (end > frame.length) return "garbage"
    texts.push(frame.toString("utf16le", at, end))
    at = end
  }
  const [namespace, from, topic] = texts as [string, string, string]
  return { namespace, from, topic, bytes: frame.subarray(at) }
}

/** Opens what arrived over a shared engine and hands it on, or counts why not. */
export function accept(endpoint: Endpoint, frame: Buffer): void {
  const envelope = open(frame)
  if (typeof envelope === "string") endpoint.drop(envelope)
  else if (envelope.namespace !== endpoint.namespace) endpoint.drop("foreign")
  else endpoint.deliver(envelope.from, envelope.topic, envelope.bytes)
}
