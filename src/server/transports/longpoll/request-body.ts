import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { RollcallError } from "../../../error.ts"
import { quote } from "../../../quote.ts"
import type { Data } from "../../../wire/message.ts"
import type { Limits } from "../../limits.ts"
import type { Body } from "./body-budget.ts"

/** How many messages of a batch are read; the rest is ignored. Clients send no more than this in one batch (P23). */
const MAX_BATCH = 100

/**
 * Reads the messages that a client posts: the whole body, or each line of a batch. A line that does not begin with `[` is a
 * binary message in base64.
 *
 * @param hold gets the bytes of the body as they come, and keeps them until the caller releases it
 * @throws RollcallError `too_large` for a body of more than `maxBufferedBytes` or a message of more than `maxFrameBytes`;
 * `too_busy` when the server has too many bytes of posts in memory; `bad_body` for a line that is neither a JSON array nor
 * base64; `disconnected` when the client disconnects before the end
 */
export async function readMessages(request: IncomingMessage, limits: Limits, hold: HoldBody): Promise<Data[]> {
  const body = await readBody(request, limits.maxBufferedBytes, hold)
  // Invalid UTF-8 becomes an empty text, which the socket rejects like every message that it cannot parse.
  const text = isUtf8(body) ? body.toString() : ""
  const isBatch = request.headers["content-type"]?.startsWith("application/x-ndjson") ?? false
  const messages = isBatch ? text.split(/\r?\n/, MAX_BATCH).map((line) => decodeLine(line)) : [text]
  for (const message of messages) {
    const size = Buffer.byteLength(message)
    if (size > limits.maxFrameBytes) throw tooLarge("a message", limits.maxFrameBytes, size)
  }
  return messages
}

/** Counts a body among those that are in memory, and refuses it when they are too large together. */
type HoldBody = (refuse: (error: RollcallError) => void) => Body

function readBody(request: IncomingMessage, max: number, hold: HoldBody): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let size = 0
    const fail = (error: RollcallError): void => {
      stop()
      chunks = []
      reject(error)
    }
    const body = hold(fail)
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > max) return fail(tooLarge("a body", max, `${size} or more`))
      chunks.push(chunk)
      body.grow(chunk.length)
    }
    const onEnd = (): void => {
      stop()
      body.complete()
      resolve(Buffer.concat(chunks))
    }
    const onClose = (): void => fail(new RollcallError("disconnected", "expected a whole body, got only a part of it"))
    const stop = (): void => {
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose)
      request.on("error", ignoreError)
    }
    const announced = Number(request.headers["content-length"])
    if (announced > max) return fail(tooLarge("a body", max, announced))
    if (request.destroyed) return onClose()
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose)
  })
}

function ignoreError(): void {
  // A request that breaks after its body was read or refused is noticed by its response.
}

function decodeLine(line: string): Data {
  if (line.startsWith("[")) return line
  if (!/^[\w+/-]*={0,2}$/.test(line)) {
    throw new RollcallError("bad_body", `expected a line to be a JSON array or base64, got ${quote(line.slice(0, 40))}`)
  }
  return Buffer.from(line, "base64")
}

const tooLarge = (what: string, max: number, size: number | string): RollcallError =>
  new RollcallError("too_large", `expected ${what} to have at most ${max} bytes, got ${size}`)
