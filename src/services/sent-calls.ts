import type { Timers } from "../timers.ts"
import type { Cancellation } from "./cancellation.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { instanceGone, markNotRun, unreadable } from "./errors.ts"
import type { Instance, RegisteredInstance } from "./instance-row.ts"
import type { ToCaller } from "./messages.ts"
import type { Orpc } from "./orpc.ts"
import { decodePayload, encodePayload } from "./payload.ts"
import type { Address, Port } from "./port.ts"
import { ReceivedStream } from "./received-stream.ts"
import { refused } from "./served-instances.ts"
import { decodeError } from "./wire-errors.ts"

/** A call that is sent to another node. */
export interface SentCall {
  /** The service and the method, for errors. */
  readonly name: string
  readonly path: readonly string[]
  readonly input: unknown
  readonly trace: string | undefined
  readonly cancellation: Cancellation
}

/** What the sent calls need. */
export interface SentCallsOptions {
  readonly port: Port
  readonly orpc: Orpc
  readonly timers: Timers
  readonly streamWindow: number
  readonly count: (name: ServicesCounter) => void
}

/** A call that is not answered yet, or whose stream is not over. */
interface Pending {
  readonly name: string
  readonly instance: Instance
  readonly address: Address
  readonly resolve: (output: unknown) => void
  readonly reject: (error: unknown) => void
  /** Stops listening to the signal of the call. */
  readonly forget: () => void
  stream: ReceivedStream | undefined
}

/** The calls of this node that other nodes handle. Each ends with one answer or one error, and drops all later answers. */
export class SentCalls {
  readonly #options: SentCallsOptions
  readonly #pending = new Map<number, Pending>()
  #calls = 0

  constructor(options: SentCallsOptions) {
    this.#options = options
  }

  /** Sends a call, and waits for its answer. */
  call(entry: RegisteredInstance, { name, path, input, trace, cancellation }: SentCall): Promise<unknown> {
    const { signal } = cancellation
    // Its caller may give up in the turn in which it calls. A signal that has aborted notifies nobody any more.
    if (signal.aborted) return Promise.reject(signal.reason)
    const n = (this.#calls += 1)
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#tellAbort(n, pending.address)
        this.#fail(n, pending, signal.reason)
      }
      const { instance } = entry
      const forget = (): void => signal.removeEventListener("abort", abort)
      const address = addressOf(entry)
      const pending: Pending = { name, instance, address, resolve, reject, forget, stream: undefined }
      signal.addEventListener("abort", abort, { once: true })
      this.#pending.set(n, pending)
      try {
        this.#send(entry, n, {
          name,
          path,
          input,
          trace,
          ms: cancellation.remainingMs(),
          credit: this.#options.streamWindow,
        })
      } catch (error) {
        this.#fail(n, pending, markNotRun(error))
      }
    })
  }

  /** Sends a call that is not answered. @throws ConfigError if the input cannot be sent; what the bus throws */
  cast(entry: RegisteredInstance, call: Omit<SentCall, "cancellation"> & { readonly ms: number }): void {
    this.#send(entry, (this.#calls += 1), call)
  }

  /** Takes an answer. */
  receive(message: ToCaller, from: string): void {
    const { orpc, count } = this.#options
    const { kind, n } = message
    const pending = this.#pending.get(n)
    // Only the node that was called can answer.
    if (pending === undefined || pending.address.node !== from) {
      // What a stream has sent before it was notified that its consumer has left.
      if (kind !== "item" && kind !== "at") count("services_refused_late")
    } else if (kind === "value") this.#answer(n, pending, () => pending.resolve(decodePayload(message, orpc)))
    else if (kind === "error") this.#answer(n, pending, () => pending.reject(decodeError(message.error, orpc)))
    else if (kind === "refusal")
      this.#answer(n, pending, () => pending.reject(refused(message.why, pending.name, pending.instance.id)))
    else {
      // If the message that opens the stream is lost, the first item opens it.
      pending.stream ??= this.#open(n, pending)
      if (kind !== "stream") pending.stream.receive(message)
    }
  }

  /** Ends the calls to an instance that is gone. @param port its port: a restarted node has the same instances at another one */
  gone({ id }: Instance, port: string | undefined): void {
    for (const [n, pending] of this.#pending) {
      if (pending.instance.id === id && pending.address.port === port)
        this.#fail(n, pending, instanceGone(pending.name, id))
    }
  }

  /** Ends all calls. */
  close(error: () => unknown): void {
    for (const [n, pending] of this.#pending) {
      this.#tellAbort(n, pending.address)
      this.#fail(n, pending, error())
    }
  }

  #send(
    entry: RegisteredInstance,
    n: number,
    {
      name,
      path,
      input,
      trace,
      ms,
      credit,
    }: Omit<SentCall, "cancellation"> & { readonly ms: number; readonly credit?: number },
  ): void {
    const { port, orpc } = this.#options
    const more = {
      ...encodePayload(`the input of ${name}`, input, orpc),
      ...(trace === undefined ? {} : { trace }),
      ...(credit === undefined ? {} : { credit }),
    }
    port.send(addressOf(entry), { kind: "call", from: port.name, n, to: entry.instance.id, path, ms, ...more })
  }

  #tellAbort(n: number, address: Address): void {
    const { port } = this.#options
    port.trySend(address, { kind: "abort", from: port.name, n })
  }

  #answer(n: number, pending: Pending, settle: () => void): void {
    if (pending.stream !== undefined) return this.#options.count("services_refused_late")
    this.#end(n, pending)
    try {
      settle()
    } catch {
      this.#options.count("services_refused_garbage")
      pending.reject(unreadable(pending.name))
    }
  }

  #open(n: number, pending: Pending): ReceivedStream {
    const { port, orpc, timers, streamWindow } = this.#options
    const { name, instance, address } = pending
    const received = new ReceivedStream({
      call: name,
      instance: instance.id,
      window: streamWindow,
      timers,
      decode: (message) => decodePayload(message, orpc),
      errorOf: ({ error }) => decodeError(error, orpc),
      allow: (q) => port.trySend(address, { kind: "credit", from: port.name, n, q }),
      abort: () => this.#tellAbort(n, address),
      ended: () => this.#end(n, pending),
    })
    pending.resolve(received.stream)
    return received
  }

  #fail(n: number, pending: Pending, error: unknown): void {
    this.#end(n, pending)
    if (pending.stream === undefined) pending.reject(error)
    else pending.stream.fail(error)
  }

  #end(n: number, pending: Pending): void {
    this.#pending.delete(n)
    pending.forget()
  }
}

function addressOf({ instance, port }: RegisteredInstance): Address {
  return { node: instance.node, port: port! }
}
