import type { Transport } from "../../src/client/index.ts"

/** A message that the client has sent, parsed. */
export type Sent = { joinRef: string | null; ref: string | null; topic: string; event: string; payload: any }

/**
 * A WebSocket whose server is the test: the test opens it, sends messages through it, and reads the messages of the client.
 * Only heartbeats are answered by themselves.
 */
export class ScriptedWebSocket {
  readyState = 0
  binaryType = "arraybuffer"
  bufferedAmount = 0
  onopen: () => void = () => {}
  onclose: (event: object) => void = () => {}
  onerror: (error: unknown) => void = () => {}
  onmessage: (event: { data: unknown }) => void = () => {}
  readonly sent: Sent[] = []
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  send(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      this.sent.push({ joinRef: null, ref: null, topic: "", event: "binary", payload: new Uint8Array(data) })
      return
    }
    const [joinRef, ref, topic, event, payload] = JSON.parse(data)
    this.sent.push({ joinRef, ref, topic, event, payload })
    if (event === "heartbeat" && !this.deaf) this.reply(this.sent.at(-1)!)
  }

  /** Set to true for a dead network: heartbeats are not answered, and `close` never leads to a close event. */
  deaf = false

  close(): void {
    if (this.deaf) this.readyState = 2
    else this.drop()
  }

  open(): void {
    this.readyState = 1
    this.onopen()
  }

  /** Breaks the connection, as a network failure does. */
  drop(code = 1006): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose({ code })
  }

  receive(joinRef: string | null, ref: string | null, topic: string, event: string, payload: unknown): void {
    this.onmessage({ data: JSON.stringify([joinRef, ref, topic, event, payload]) })
  }

  /** Returns the last message that the client sent with this event. @throws Error if there is none */
  last(event: string): Sent {
    const found = this.all(event).at(-1)
    if (!found)
      throw new Error(`expected a message ${event}, got ${this.sent.map((message) => message.event).join(", ")}`)
    return found
  }

  all(event: string): Sent[] {
    return this.sent.filter((message) => message.event === event)
  }

  reply(to: Sent, response: unknown = {}, status = "ok"): void {
    this.receive(to.joinRef, to.ref, to.topic, "phx_reply", { status, response })
  }
}

/** Returns a transport class for one test, and the sockets that the client has created with it, oldest first. */
export function scriptedTransport(): {
  transport: Transport
  sockets: ScriptedWebSocket[]
  latest: () => ScriptedWebSocket
} {
  const sockets: ScriptedWebSocket[] = []
  class Recorded extends ScriptedWebSocket {
    constructor(url: string) {
      super(url)
      sockets.push(this)
    }
  }
  return { transport: Recorded, sockets, latest: () => sockets.at(-1)! }
}
