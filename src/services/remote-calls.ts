import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { closedServices } from "./errors.ts"
import type { ServiceLimits } from "./limits.ts"
import type { Message } from "./messages.ts"
import { loadOrpc } from "./orpc.ts"
import { Port } from "./port.ts"
import { ReceivedCalls } from "./received-calls.ts"
import { SentCalls } from "./sent-calls.ts"
import type { ServedInstances } from "./served-instances.ts"
import { loadSignature } from "./signature.ts"

/** What the calls between nodes need. */
export interface RemoteCallsOptions {
  readonly pubsub: PubSub
  readonly timers: Timers
  readonly portName: string
  readonly secret: string | undefined
  readonly limits: ServiceLimits
  readonly served: ServedInstances
  readonly count: (name: ServicesCounter) => void
}

/** The largest window that is sent: `Infinity` is no JSON, and the sum of a window and the items before it must be exact. */
const MAX_STREAM_WINDOW = 2 ** 31

/** The calls between this node and the others. Nothing is loaded, and nothing is subscribed, before the first one. */
export class RemoteCalls {
  readonly #options: RemoteCallsOptions
  #opening: Promise<SentCalls> | undefined
  #port: Port | undefined
  #sent: SentCalls | undefined
  #received: ReceivedCalls | undefined
  #isClosed = false

  constructor(options: RemoteCallsOptions) {
    this.#options = options
  }

  /** The port at which this node receives calls; `undefined` before it is open. */
  get port(): string | undefined {
    return this.#port?.isOpen === true ? this.#port.name : undefined
  }

  /** The calls to other nodes; `undefined` before the port is open. */
  get sent(): SentCalls | undefined {
    return this.#sent
  }

  /** Opens the port, if it is not open. Rejects if that fails. */
  open(): Promise<SentCalls> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  /** Ends the calls that are running. Instances must have ended before. */
  close(): void {
    this.#isClosed = true
    this.#sent?.close(closedServices)
    this.#received?.close()
    this.#port?.close()
  }

  async #open(): Promise<SentCalls> {
    const { pubsub, timers, portName, secret, limits, served, count } = this.#options
    try {
      const [orpc, signature] = await Promise.all([loadOrpc(), loadSignature(secret)])
      const receive = (message: Message, from: string): void => {
        if (message.kind === "call" || message.kind === "abort" || message.kind === "credit")
          received.receive(message, from)
        else sent.receive(message, from)
      }
      const { maxPayloadBytes } = limits
      const streamWindow = Math.min(limits.streamWindow, MAX_STREAM_WINDOW)
      const port = new Port({ pubsub, timers, name: portName, signature, maxPayloadBytes, count, receive })
      const sent = new SentCalls({ port, orpc, timers, streamWindow, count })
      const received = new ReceivedCalls({ port, orpc, timers, served, count })
      this.#port = port
      this.#sent = sent
      this.#received = received
      if (this.#isClosed) throw closedServices()
      await port.open()
      return sent
    } catch (error) {
      // The next call tries again.
      this.#port?.close()
      this.#opening = undefined
      throw error
    }
  }
}
