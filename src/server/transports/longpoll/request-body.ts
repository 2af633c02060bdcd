import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import { RollcallError } from "../../../error.ts"
import { quote } from "../../../quote.ts"
import type { Data } from "../../../wire/message.ts"
import type { Limits } from "../../limits.ts"

/** How many messages of a batch are read; the rest is ignored. Clients send no more than this in one batch (P23). */
const MAX_BATCH = 100

/**
 * Reads the messages that a client posts: the whole body, or each line of a batch. A line that does not begin with `[` is a
 * binary message in base64.
 *
 * @throws RollcallError `too_large` for a body of more than `maxBufferedBytes` or a message of more than `maxFrameBytes`;
 * `bad_body` for a line that is neither a JSON array nor base64
 */
export async function readMessages(request: IncomingMessage, limits: Limits): Promise<Data[]> {
  const text = await readText(request, limits.maxBufferedBytes)
  const isBatch = request.headers["content-type"]?.startsWith("application/x-ndjson") ?? false
  const messages = isBatch ? text.split(/\r?\n/, MAX_BATCH).map((line) => decodeLine(line)) : [text]
  for (const message of messages) {
    const size = Buffer.byteLength(message)
    if (size > limits.maxFrameBytes) throw tooLarge("a message", limits.maxFrameBytes, size)
  }
  return messages
}

async function readText(request: IncomingMessage, max: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > max) throw tooLarge("a body", max, `${size} or more`)
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  // Invalid UTF-8 becomes an empty text, which the socket rejects like every message that it cannot parse.
  return isUtf8(body) ? body.toString() : ""
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
