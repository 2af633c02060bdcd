import { decode, encode } from "@msgpack/msgpack"
import type { Message } from "../../src/wire/message.ts"
import { v1 } from "../../src/wire/v1.ts"
import { v2 } from "../../src/wire/v2.ts"
import { serializerContract } from "../contracts/serializer.ts"
import { msgpack } from "../support/msgpack.ts"

const partsOf = ({ joinRef, ref, topic, event, payload }: Message): unknown[] => [joinRef, ref, topic, event, payload]
const messageOf = ([joinRef, ref, topic, event, payload]: readonly unknown[]): Message => ({
  joinRef,
  ref,
  topic,
  event,
  payload,
})

serializerContract("version 1", {
  serializer: v1,
  encode: ({ joinRef, ...message }) => JSON.stringify({ ...message, join_ref: joinRef }),
  read(data) {
    const { ref, topic, event, payload } = JSON.parse(data as string) as Message
    return { joinRef: undefined, ref, topic, event, payload }
  },
  hasJoinRef: false,
  hasBytes: false,
})

serializerContract("version 2", {
  serializer: v2,
  encode: (message) => JSON.stringify(partsOf(message)),
  read: (data) => (typeof data === "string" ? messageOf(JSON.parse(data) as unknown[]) : readBinary(data)),
  hasJoinRef: true,
  hasBytes: true,
})

serializerContract("MessagePack", {
  serializer: msgpack,
  encode: (message) => encode(partsOf(message)),
  read: (data) => messageOf(decode(data as Uint8Array) as unknown[]),
  hasJoinRef: true,
  hasBytes: true,
})

/** A binary frame of version 2: a push with three names, a reply with four, or a broadcast with two (P7). */
function readBinary(data: Uint8Array): Message {
  const kind = data[0] as 0 | 1 | 2
  const sizes = data.subarray(1, 1 + [3, 4, 2][kind]!)
  let offset = 1 + sizes.length
  const names = Array.from(sizes, (size) => new TextDecoder().decode(data.subarray(offset, (offset += size))))
  const payload = data.slice(offset)
  if (kind === 0) return messageOf([names[0], null, names[1], names[2], payload])
  if (kind === 2) return messageOf([null, null, ...names, payload])
  return messageOf([names[0], names[1], names[2], "phx_reply", { status: names[3], response: payload }])
}
