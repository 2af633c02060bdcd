import { randomBytes } from "node:crypto"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { Inbox } from "./inbox.ts"

/** One thing that a client receives on its WebSocket: a text frame, a binary frame, or an event of the connection. */
export type Seen =
  | string
  | Buffer
  | { readonly event: "open" }
  | { readonly event: "close"; readonly code: number; readonly reason: string }
  | { readonly event: "pong"; readonly hex: string }
  | { readonly event: "http-refused"; readonly status: number; readonly body: string }

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 }

/**
 * A WebSocket client for tests at the level of bytes. It can write several frames in one TCP chunk, frames without a mask and
 * partial frames, and it can stop reading. It answers no pings.
 */
export class WireSocket {
  readonly inbox: Inbox<Seen>
  readonly raw: Socket
  /** True once the connection has ended, by either side. */
  ended = false
  #buffer: Buffer = Buffer.alloc(0)
  #isUpgraded = false
  #pings = 0
  #isCloseReported = false
  readonly #pongs = new Map<string, () => void>()

  /** @param url `ws://127.0.0.1:4000/socket/websocket?vsn=2.0.0` */
  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    const { hostname, port, pathname, search, host } = new URL(url)
    this.inbox = new Inbox(`frames from ${pathname}${search}`)
    this.raw = connect({ host: hostname, port: Number(port), noDelay: true })
    const lines = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ]
    this.raw.write(`${lines.join("\r\n")}\r\n\r\n`)
    this.raw.on("data", (data) => this.#receive(data))
    this.raw.on("error", () => undefined)
    this.raw.on("close", () => this.#end())
  }

  /** Sends several frames in one TCP chunk. */
  burst(frames: readonly (string | Uint8Array)[]): void {
    this.raw.write(Buffer.concat(frames.map((data) => frame(data))))
  }

  send(data: string | Uint8Array): void {
    this.burst([data])
  }

  /** Sends a text message in three fragments. */
  fragments(text: string): void {
    const bytes = Buffer.from(text)
    const third = Math.ceil(bytes.length / 3)
    const parts = [bytes.subarray(0, third), bytes.subarray(third, 2 * third), bytes.subarray(2 * third)]
    const { text: first, continuation } = OPCODES
    this.raw.write(
      Buffer.concat(parts.map((part, at) => frame(part, { opcode: at === 0 ? first : continuation, fin: at === 2 }))),
    )
  }

  /** Sends a frame with any opcode, masked or not. */
  malformed(bytes: Uint8Array, options: { opcode: number; mask?: boolean }): void {
    this.raw.write(frame(bytes, options))
  }

  ping(text = ""): void {
    this.raw.write(frame(Buffer.from(text), { opcode: OPCODES.ping }))
  }

  close(code?: number, reason = ""): void {
    const body = Buffer.alloc(code === undefined ? 0 : 2 + Buffer.byteLength(reason))
    if (code !== undefined) {
      body.writeUInt16BE(code)
      body.write(reason, 2)
    }
    this.raw.write(frame(body, { opcode: OPCODES.close }))
  }

  /** Breaks the connection with a TCP reset. */
  reset(): void {
    this.raw.resetAndDestroy()
  }

  /**
   * Waits for two round trips. Then the server has read everything that was written before, and everything that it sent in
   * response, in that tick of its event loop or the next, has arrived.
   */
  async settled(): Promise<void> {
    for (let round = 0; round < 2 && !this.ended && this.#isUpgraded; round += 1) {
      const name = `settled ${(this.#pings += 1)}`
      await new Promise<void>((resolve) => {
        this.#pongs.set(name, resolve)
        this.ping(name)
      })
    }
  }

  #receive(data: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, data])
    if (!this.#isUpgraded && !this.#readHandshake()) return
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) this.#handle(frame)
  }

  #readHandshake(): boolean {
    const end = this.#buffer.indexOf("\r\n\r\n")
    if (end === -1) return false
    const head = this.#buffer.subarray(0, end).toString()
    const status = Number(head.split(" ")[1])
    if (status !== 101) {
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (this.#buffer.length < end + 4 + length) return false
      this.#isCloseReported = true
      this.inbox.put({
        event: "http-refused",
        status,
        body: this.#buffer.subarray(end + 4, end + 4 + length).toString(),
      })
      this.raw.destroy()
      return false
    }
    this.#isUpgraded = true
    this.#buffer = this.#buffer.subarray(end + 4)
    this.inbox.put({ event: "open" })
    return true
  }

  #nextFrame(): { opcode: number; data: Buffer } | undefined {
    if (this.#buffer.length < 2) return undefined
    const opcode = (this.#buffer[0] as number) & 15
    let length = this.#buffer[1] as number
    let head = 2
    if (length === 126) [length, head] = [this.#buffer.length < 4 ? Infinity : this.#buffer.readUInt16BE(2), 4]
    else if (length === 127)
      [length, head] = [this.#buffer.length < 10 ? Infinity : Number(this.#buffer.readBigUInt64BE(2)), 10]
    if (this.#buffer.length < head + length) return undefined
    const data = this.#buffer.subarray(head, head + length)
    this.#buffer = this.#buffer.subarray(head + length)
    return { opcode, data }
  }

  #handle({ opcode, data }: { opcode: number; data: Buffer }): void {
    if (opcode === OPCODES.text) this.inbox.put(data.toString())
    else if (opcode === OPCODES.binary) this.inbox.put(Buffer.from(data))
    else if (opcode === OPCODES.pong) {
      const settled = this.#pongs.get(data.toString())
      this.#pongs.delete(data.toString())
      if (settled === undefined) this.inbox.put({ event: "pong", hex: data.toString("hex") })
      else settled()
    } else if (opcode === OPCODES.close) {
      this.#isCloseReported = true
      const code = data.length < 2 ? 1005 : data.readUInt16BE()
      this.inbox.put({ event: "close", code, reason: data.subarray(2).toString() })
      this.raw.end(frame(data.subarray(0, 2), { opcode: OPCODES.close }))
    }
  }

  #end(): void {
    this.ended = true
    if (!this.#isCloseReported) this.inbox.put({ event: "close", code: 1006, reason: "" })
    for (const resolve of this.#pongs.values()) resolve()
  }
}

function frame(data: string | Uint8Array, options: { opcode?: number; mask?: boolean; fin?: boolean } = {}): Buffer {
  const bytes = Buffer.from(data as Uint8Array)
  const opcode = options.opcode ?? (typeof data === "string" ? OPCODES.text : OPCODES.binary)
  const masked = options.mask ?? true
  const size = bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + size)
  head[0] = ((options.fin ?? true) ? 128 : 0) | opcode
  head[1] = (masked ? 128 : 0) | (size === 0 ? bytes.length : size === 2 ? 126 : 127)
  if (size === 2) head.writeUInt16BE(bytes.length, 2)
  if (size === 8) head.writeBigUInt64BE(BigInt(bytes.length), 2)
  if (!masked) return Buffer.concat([head, bytes])
  const key = randomBytes(4)
  const body = Buffer.from(bytes)
  for (let at = 0; at < body.length; at += 1) body[at] = (body[at] as number) ^ (key[at & 3] as number)
  return Buffer.concat([head, key, body])
}
