import { ConfigError, RollcallError } from "../error.ts"
import { subscribeForGood } from "../pubsub/lasting-subscription.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Timers } from "../timers.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { closedServices } from "./errors.ts"
import { decodeMessage, encodeMessage } from "./messages.ts"
import type { Message } from "./messages.ts"
import type { Signature } from "./signature.ts"

/** Where a message is sent to: a port, and the node that it is on. */
export interface Address {
  readonly node: string
  readonly port: string
}

/** What a port needs. */
export interface PortOptions {
  readonly pubsub: PubSub
  readonly timers: Timers
  readonly name: string
  readonly signature: Signature | undefined
  readonly maxPayloadBytes: number
  readonly count: (name: ServicesCounter) => void
  /** Called with each message, and the name of the node that sent it. */
  readonly receive: (message: Message, from: string) => void
}

/** What a received message may have beside its payload, in bytes. */
const ENVELOPE_BYTES = 65_536

/**
 * This node's end of all calls between nodes, on a bus that may lose and double messages.
 *
 * Its name is random, and new at each start: no message reaches a node that was restarted, so a call of before the restart
 * cannot run after it.
 */
export class Port {
  readonly #options: PortOptions
  /** Whether this node receives messages. */
  isOpen = false
  #stop: (() => void) | undefined
  #refuse: ((error: unknown) => void) | undefined

  constructor(options: PortOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  /** Starts to receive. Resolves when the engine has confirmed it; rejects if it does not allow it, or on `close`. */
  open(): Promise<void> {
    const { pubsub, timers, name } = this.#options
    return new Promise((resolve, reject) => {
      this.#refuse = reject
      this.#stop = subscribeForGood(pubsub, topicOf(name), (bytes, from) => this.#receive(bytes, from), {
        timers,
        onSubscribed: () => {
          this.isOpen = true
          resolve()
        },
        onError: reject,
      })
    })
  }

  /**
   * Sends a message. It may be lost.
   * @throws RollcallError `payload_too_large`; ConfigError if JSON cannot write it; what the bus throws
   */
  send({ node, port }: Address, message: Message): void {
    const { pubsub, signature, maxPayloadBytes } = this.#options
    const bytes = encoded(message)
    const size = bytes.length > maxPayloadBytes ? payloadSize(message) : 0
    if (size > maxPayloadBytes) {
      const text = `expected a payload of at most ${maxPayloadBytes} bytes, got ${size}; raise maxPayloadBytes`
      throw new RollcallError("payload_too_large", text)
    }
    pubsub.send(node, topicOf(port), signature?.sign(pubsub.node, port, bytes) ?? bytes)
  }

  /** Sends a message that nobody waits for: one that cannot be sent is counted. */
  trySend(address: Address, message: Message): void {
    try {
      this.send(address, message)
    } catch {
      this.#options.count("services_unsent")
    }
  }

  close(): void {
    this.#stop?.()
    this.#refuse?.(closedServices())
  }

  #receive(bytes: Uint8Array, from: string): void {
    const { signature, name, maxPayloadBytes, count, receive } = this.#options
    if (bytes.length > maxPayloadBytes + ENVELOPE_BYTES) return count("services_refused_oversize")
    const verified = signature === undefined ? bytes : signature.verified(from, name, bytes)
    if (verified === undefined) return count("services_refused_unsigned")
    const message = decodeMessage(verified)
    if (typeof message === "string") return count(`services_refused_${message}`)
    receive(message, from)
  }
}

const topicOf = (port: string): string => `services:${port}`

function encoded(message: Message): Uint8Array {
  try {
    return encodeMessage(message)
  } catch (cause) {
    // A `toJSON` of the program may throw.
    throw new ConfigError("expected a payload that JSON can write, got one that it cannot", { cause })
  }
}

function payloadSize(message: Message): number {
  const payload: unknown = "error" in message ? message.error : "value" in message ? message.value : undefined
  return new TextEncoder().encode(JSON.stringify(payload)).length
}

/** Returns the name of a new port, from random numbers in [0, 1). */
export function randomName(random: () => number): string {
  return Array.from({ length: 4 }, () => Math.floor(random() * 2 ** 32).toString(36)).join("")
}

/** Returns numbers in [0, 1) that nobody can predict. */
export const secureRandom = (): number => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32
