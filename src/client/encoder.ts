/** Turns messages into frames. Nothing that would make the server close the connection leaves here. */
import { RollcallError } from "../error.ts"
import { JOIN, LEAVE, REPLY } from "../wire/events.ts"
import { deliver } from "./codec.ts"
import { JoinRejected } from "./errors.ts"
import type { Flow } from "./flow.ts"
import { Serializer, type Codec, type Message, type Socket } from "./phoenix.ts"
import { repairJson } from "./surrogates.ts"

const bytesOf = (frame: unknown): number =>
  typeof frame === "string" ? new TextEncoder().encode(frame).length : (frame as ArrayBuffer).byteLength

/** Returns the error for a frame of more than `max` bytes. */
function tooLarge(frame: unknown, max: number, topic: string, event: string): RollcallError | undefined {
  // No character has more than three bytes for each of its units.
  if (max === Infinity || (frame as string).length * 3 <= max) return undefined
  const bytes = bytesOf(frame)
  if (bytes <= max) return undefined
  return new RollcallError("payload_too_large", `${event} on ${topic}: expected at most ${max} bytes, got ${bytes}`)
}

/** @throws RollcallError `payload_too_large` if a message with this payload would be too large to send */
export function assertFits(max: number, topic: string, event: string, payload: object): void {
  if (max === Infinity) return
  // The refs are not known yet. Most have fewer digits.
  const error = tooLarge(repairJson(JSON.stringify(["1234", "1234", topic, event, payload])), max, topic, event)
  if (error) throw error
}

/**
 * Returns an encoder around a given one.
 *
 * A message that is too large or cannot be encoded is not sent; it gets an error reply with a RollcallError as its response. So
 * does a join that has closed the connection twice.
 */
export function encoderOf(
  encode: Codec["encode"] = Serializer.encode.bind(Serializer),
  flow: Flow,
  socket: () => Socket,
): Codec["encode"] {
  return (given, done) => {
    const message = given as Message
    const { join_ref, ref, topic, event } = message
    const refuse = (response: unknown): void => {
      // Later, because phoenix.js has not returned the push yet.
      void Promise.resolve().then(() =>
        deliver(socket(), { ...message, event: REPLY, payload: { status: "error", response } }),
      )
    }
    const attempt = (): void => {
      if (event === JOIN) {
        const code = flow.takeConviction(topic)
        if (code !== undefined)
          return refuse(
            new JoinRejected(topic, { reason: `the connection closed twice after it, with code ${code}`, code }),
          )
        if (!flow.isFree(ref, attempt)) return
      }
      if (join_ref && event !== LEAVE) flow.sent(message)
      try {
        encode(message, (encoded) => {
          const frame = typeof encoded === "string" ? repairJson(encoded) : encoded
          const error = tooLarge(frame, flow.maxBytes, topic, event)
          if (error) refuse(error)
          else done(frame)
        })
      } catch (cause) {
        refuse(new RollcallError("bad_payload", `${event} on ${topic}: expected a payload that can be sent`, { cause }))
      }
    }
    // A join that waits is withdrawn.
    if (event === LEAVE) flow.end(join_ref)
    attempt()
  }
}
