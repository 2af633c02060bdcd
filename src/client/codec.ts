/**
 * What `connect` adds to a serializer. Nothing that would make the server close the connection is encoded: halves of surrogate
 * pairs are repaired, large messages are refused. Params are asked for when their join is sent. Messages of our own can be
 * passed to a channel.
 */
import { RollcallError } from "../error.ts"
import { JOIN, LEAVE, REPLY } from "../wire/events.ts"
import { paramsError } from "./errors.ts"
import type { Flow } from "./flow.ts"
import { tooLarge } from "./frame-size.ts"
import { whenGiven } from "./given.ts"
import { assertParams } from "./params.ts"
import { Serializer, type Codec, type Message, type Socket, type SocketOptions } from "./phoenix.ts"
import { toSendable } from "./pushes.ts"
import { repairJson } from "./surrogates.ts"

/** Passes a message to the channels of its topic as if the server had sent it. phoenix.js has no other way. */
export const deliver = (socket: Socket, message: Message): void => socket.conn?.onmessage?.({ data: message })

/**
 * Returns an encoder and a decoder around given ones.
 *
 * A payload that is a function is called when it is sent: the params of a join, in which a token from before an outage may
 * have expired. A message that cannot be sent gets an error reply with a RollcallError as its response; phoenix.js tries a join
 * again later. What has closed the connection twice gets an error reply, too.
 *
 * @param socket returns the socket to which the codec belongs
 */
export function codec(socket: () => Socket, options: SocketOptions, flow: Flow): Codec {
  const encode = options.encode ?? Serializer.encode.bind(Serializer)
  const decode = options.decode ?? Serializer.decode.bind(Serializer)
  return {
    encode(given, done) {
      const message = given as Message
      const { join_ref, ref, topic, event, payload } = message
      // Later, because phoenix.js has not returned the push yet.
      const refuse = (response: unknown): void => {
        const reply = { ...message, event: REPLY, payload: { status: "error", response } }
        void Promise.resolve().then(() => deliver(socket(), reply))
      }
      const send = (body: unknown): void =>
        encode({ ...message, payload: body }, (encoded: unknown) => {
          const frame = typeof encoded === "string" ? repairJson(encoded) : encoded
          const error = tooLarge(frame, flow.maxBytes, topic, event)
          if (error) refuse(error)
          else done(frame)
        })
      const attempt = (): void => {
        const code = flow.verdict(message)
        if (code) {
          const reason = `the connection closed twice after it, with code ${code}`
          return refuse(
            event === JOIN ? { reason, code } : new RollcallError("push_rejected", reason, { reason: code }),
          )
        }
        if (event === JOIN && !flow.isFree(ref, attempt)) return
        if (join_ref && event !== LEAVE) flow.sent(message)
        if (typeof payload === "function") {
          whenGiven<unknown>(
            payload,
            (params) => {
              assertParams(params)
              send(toSendable(topic, params))
            },
            (cause) => refuse(paramsError(topic, cause)),
          )
        } else {
          try {
            send(payload)
          } catch (cause) {
            refuse(new RollcallError("bad_payload", `${event} on ${topic}: ${String(cause)}`, { cause }))
          }
        }
      }
      // If the join waits, it is withdrawn.
      if (event === LEAVE) flow.end(join_ref)
      attempt()
    },
    decode(raw, done) {
      // From the network come only strings and bytes.
      if ((raw as Partial<Message>).topic) done(raw as Message)
      else decode(raw, done)
    },
  }
}
