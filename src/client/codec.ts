/** What `connect` adds to a serializer: params that are asked for when a join is sent, and messages of our own to a channel. */
import { REPLY } from "../wire/events.ts"
import { paramsError } from "./errors.ts"
import { whenGiven } from "./given.ts"
import { assertParams } from "./params.ts"
import { Serializer, type Codec, type Message, type Socket, type SocketOptions } from "./phoenix.ts"
import { toSendable } from "./pushes.ts"

/** Passes a message to the channels of its topic as if the server had sent it. phoenix.js has no other way. */
export const deliver = (socket: Socket, message: Message): void => socket.conn?.onmessage?.({ data: message })

/**
 * Returns an encoder and a decoder around given ones. A payload that is a function is called when it is sent: the params of
 * a join, in which a token from before an outage may have expired. If that fails, the join gets an error reply with a
 * RollcallError as its response, so that phoenix.js tries again later.
 *
 * @param socket returns the socket to which the codec belongs
 */
export function codec(socket: () => Socket, options: SocketOptions): Codec {
  const encode = options.encode ?? Serializer.encode.bind(Serializer)
  const decode = options.decode ?? Serializer.decode.bind(Serializer)
  return {
    encode(given, done) {
      const message = given as Message
      const { payload, topic } = message
      if (typeof payload !== "function") return encode(message, done)
      whenGiven<unknown>(
        payload,
        (params) => {
          assertParams(params)
          encode({ ...message, payload: toSendable(topic, params) }, done)
        },
        (cause) =>
          deliver(socket(), {
            ...message,
            event: REPLY,
            payload: { status: "error", response: paramsError(topic, cause) },
          }),
      )
    },
    decode(raw, done) {
      // From the network come only strings and bytes.
      if ((raw as Partial<Message>).topic) done(raw as Message)
      else decode(raw, done)
    },
  }
}
