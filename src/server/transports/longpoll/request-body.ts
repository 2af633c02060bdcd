import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { RollcallError } from "../../../error.ts"
import type { Data } from "../../../wire/message.ts"
import type { Limits } from "../../limits.ts"

/** Of a batch the first so many messages are taken, as clients expect that send no more (P23). */
const MAX_BATCH = 100

/**
 * Reads the messages that a client posts: one, or a batch of lines. A line that does not begin with `[` is binary, in
 * base64.
 *
 * @throws RollcallError `too_large` for a body above `maxBufferedBytes` or a message above `maxFrameBytes`; `bad_body`
 * for a line that is not base64
 */
export async function readMessages(request: IncomingMessage, limits: Limits): Promise<Data[]> {
  const text = await readText(request, limits.maxBufferedBytes)
  const isBatch = request.headers["content-type"]?.startsWith("application/x-ndjson") ?? false
  const messages = isBatch ? text.split(/\r?\n/, MAX_BATCH).map((line) => decode(line)) : [text]
  for (const { length } of messages) if (length > limits.maxFrameBytes) throw tooLarge(limits.maxFrameBytes)
  return messages
}

async function readText(request: IncomingMessage, max: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > max) throw tooLarge(max)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  // What is no text is read as nothing, which is no message either.
  return isUtf8(body) ? body.toString() : ""
}

function decode(line: string): Data {
  if (line.startsWith("[")) return line
  if (!/^[\w+/-]*={0,2}$/.test(line)) throw new RollcallError("bad_body", "expected a line of JSON or of base64")
  return Buffer.from(line, "base64")
}

const tooLarge = (max: number): RollcallError => new RollcallError("too_large", `expected at most ${max} bytes`)
