/** A WebSocket whose server end is the test: it says when it opens, what comes in, and sees what went out. */
import type { Transport } from "../../src/client/index.ts"

export type Sent = { joinRef: string | null; ref: string | null; topic: string; event: string; payload: any }

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
  }

  /** Of a network that is dead, an end is not heard of. */
  deaf = false

  close(): void {
    if (this.deaf) this.readyState = 2
    else this.drop()
  }

  open(): void {
    this.readyState = 1
    this.onopen()
  }

  /** The connection breaks, as by the network. */
  drop(code = 1006): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose({ code })
  }

  receive(joinRef: string | null, ref: string | null, topic: string, event: string, payload: unknown): void {
    this.onmessage({ data: JSON.stringify([joinRef, ref, topic, event, payload]) })
  }

  /** The last message sent of this event. */
  last(event: string): Sent {
    const found = this.all(event).at(-1)
    if (!found) throw new Error(`no ${event} among ${this.sent.map((message) => message.event).join(", ")}`)
    return found
  }

  all(event: string): Sent[] {
    return this.sent.filter((message) => message.event === event)
  }

  reply(to: Sent, response: unknown = {}, status = "ok"): void {
    this.receive(to.joinRef, to.ref, to.topic, "phx_reply", { status, response })
  }
}

/** A transport class for one test, and the sockets that were made of it, oldest first. */
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
