import type { IncomingMessage } from "node:http"
import { constants, inflateRaw, inflateRawSync } from "node:zlib"
import type { WebSocket } from "ws"
import { BAD_FRAME, FRAME_TOO_LARGE } from "../../../wire/close-codes.ts"

/** The options of `ws` for the extension: neither side keeps a window between messages, so that messages can be shared. */
export const DEFLATE_OPTIONS = { serverNoContextTakeover: true, clientNoContextTakeover: true }

/**
 * The greatest size of a client's compressed message, inflated, in bytes. It is smaller than `maxFrameBytes`, since a few bytes can
 * inflate to a thousand times as many.
 */
const MAX_INFLATED_BYTES = 65_536

const EXTENSION = "permessage-deflate"

/** The params of an offer that the server can accept. It cannot limit its own window, because messages are deflated for all clients. */
const ACCEPTED =
  /^(?:client_no_context_takeover|server_no_context_takeover|client_max_window_bits(?:="?(?:[89]|1[0-5])"?)?)$/

/**
 * Leaves in a request's headers an offer to compress that can be accepted, or none: `ws` would answer all others with status 400.
 * An extension that the server does not accept is no error.
 */
export function keepAcceptableOffer({ headers }: IncomingMessage): void {
  const offered = headers["sec-websocket-extensions"]
  if (offered === undefined) return
  const offers = offered.split(",").map((offer) => {
    return offer.split(";").map((part) => part.replaceAll(/\s+/g, ""))
  })
  const isAcceptable = offers.some(([name, ...params]) => {
    return name === EXTENSION && new Set(params).size === params.length && params.every((param) => ACCEPTED.test(param))
  })
  if (isAcceptable) headers["sec-websocket-extensions"] = EXTENSION
  else delete headers["sec-websocket-extensions"]
}

type Inflated = (error: Error | null, bytes?: Buffer) => void

/** The part of the extension's object in `ws` that its receiver calls, with each frame of a compressed message. */
interface Decompressor {
  decompress(data: Buffer, isLast: boolean, callback: Inflated): void
}

/** What the sender omits from the end of a message (RFC 7692, 7.2.1). */
const TAIL = Buffer.from([0, 0, 0xff, 0xff])
const NOTHING = Buffer.alloc(0)

/**
 * Returns whether a connection compresses. If so, its messages are inflated one at a time without memory of its own between them:
 * the inflater that `ws` keeps for each connection takes three times the memory of the connection.
 */
export function inflatesShared(connection: WebSocket, inflated: () => void): boolean {
  // Not in its types. It is set before the first byte is read.
  const { _extensions: extensions = {} } = connection as { _extensions?: Record<string, Decompressor> }
  const decompressor = extensions[EXTENSION]
  if (decompressor === undefined) return false
  let frames: Buffer[] = []
  let size = 0
  decompressor.decompress = (data, isLast, callback) => {
    size += data.length
    // The receiver expects the callback later: it is in the middle of its loop.
    if (size > MAX_INFLATED_BYTES) return queueMicrotask(() => callback(refused(connection, true)))
    if (data.length > 0) frames.push(data)
    if (!isLast) return queueMicrotask(() => callback(null, NOTHING))
    const message = Buffer.concat([...frames, TAIL])
    frames = []
    size = 0
    inflate(message, (error, bytes) => {
      if (error !== null)
        return callback(refused(connection, (error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE"))
      inflated()
      callback(null, bytes)
    })
  }
  return true
}

/** Up to this size in bytes, a message is inflated at once: in 5 µs, where a thread of Node's pool takes 50 µs. */
const MAX_SYNC_BYTES = 4_096

/** Inflates a message. Never calls back at once. */
function inflate(message: Buffer, callback: Inflated): void {
  if (message.length > MAX_SYNC_BYTES) return inflateRaw(message, INFLATE, callback)
  let [error, bytes]: [error: Error | null, bytes: Buffer] = [null, NOTHING]
  try {
    bytes = inflateRawSync(message, INFLATE)
  } catch (thrown) {
    error = thrown as Error
  }
  queueMicrotask(() => callback(error, bytes))
}

const INFLATE = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_INFLATED_BYTES, chunkSize: 4_096 }

/** Closes the connection for a message that cannot be inflated, and returns the error for the receiver. */
function refused(connection: WebSocket, isTooLarge: boolean): Error {
  connection.close(isTooLarge ? FRAME_TOO_LARGE : BAD_FRAME)
  const code = isTooLarge ? "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" : "WS_ERR_INVALID_DATA"
  return Object.assign(new Error("a compressed message could not be inflated"), { code })
}
