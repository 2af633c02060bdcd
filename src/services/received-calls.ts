import type { Timers } from "../timers.ts"
import { cancellation } from "./cancellation.ts"
import type { Cancellation } from "./cancellation.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { timedOut } from "./errors.ts"
import { isStream } from "./guarded-stream.ts"
import type { AbortMessage, CallMessage, CreditMessage, ToCaller, ToInstance } from "./messages.ts"
import type { Orpc } from "./orpc.ts"
import { decodePayload, encodePayload } from "./payload.ts"
import type { Address, Port } from "./port.ts"
import { ReplayWindow } from "./replay-window.ts"
import { SentStream } from "./sent-stream.ts"
import type { ServedInstances } from "./served-instances.ts"
import { encodeError } from "./wire-errors.ts"

/** What the received calls need. */
export interface ReceivedCallsOptions {
  readonly port: Port
  readonly orpc: Orpc
  readonly timers: Timers
  readonly served: ServedInstances
  readonly count: (name: ServicesCounter) => void
}

interface Running {
  readonly deadline: Cancellation
  stream: SentStream | undefined
}

/** For how many callers the numbers of their calls are remembered. Each start of a node is a new caller. */
const MAX_CALLERS = 10_000

/** The calls of other nodes that this node handles. Each runs once at most, even if its message comes twice. */
export class ReceivedCalls {
  readonly #options: ReceivedCallsOptions
  /** Port of the caller → the numbers of its calls that have come; the caller that was silent for the longest time first. */
  readonly #windows = new Map<string, ReplayWindow>()
  /** The window of the caller that called last: the last one of the map. */
  #latest: ReplayWindow | undefined
  readonly #running = new Map<string, Running>()

  constructor(options: ReceivedCallsOptions) {
    this.#options = options
  }

  /** Takes a message of a caller on the node `from`. */
  receive(message: ToInstance, from: string): void {
    // The node is part of the key, so that no other node can abort the call.
    const key = `${message.n} ${message.from} ${from}`
    if (message.kind === "call") void this.#call(message, from, key)
    else if (message.kind === "abort") this.#abort(message, from, key)
    else this.#credit(message, from, key)
  }

  /** Stops all streams. The instances must have ended before. */
  close(): void {
    for (const { stream, deadline } of this.#running.values()) {
      stream?.stop()
      deadline.end()
    }
    this.#running.clear()
  }

  async #call(call: CallMessage, from: string, key: string): Promise<void> {
    const { orpc, timers, served, port, count } = this.#options
    const { n, to, path, ms, credit, trace } = call
    if (!this.#isNew(call, from)) return count("services_refused_replayed")
    const caller: Address = { node: from, port: call.from }
    const answer = (message: ToCaller): void => {
      if (credit !== undefined) port.trySend(caller, message)
    }
    const why = served.refusalOf(to)
    if (why !== undefined) return answer({ kind: "refusal", n, why })
    let input: unknown
    try {
      input = decodePayload(call, orpc)
    } catch {
      return count("services_refused_garbage")
    }
    const name = `${path.join(".")} of ${to}`
    const deadline = cancellation({ timers, ms, expired: () => timedOut(name, ms) })
    const running: Running = { deadline, stream: undefined }
    const ended = (): void => {
      this.#running.delete(key)
      deadline.end()
    }
    this.#running.set(key, running)
    try {
      const output = await served.run(to, { path, input, caller: from, trace, cancellation: deadline })
      if (isStream(output) && credit !== undefined) {
        deadline.keepOpen()
        running.stream = this.#stream(output, { name, n, credit, caller, ended })
        return
      }
      ended()
      if (isStream(output)) void output.return?.()
      else if (credit !== undefined)
        port.send(caller, { kind: "value", n, ...encodePayload(`the output of ${name}`, output, orpc) })
    } catch (error) {
      ended()
      answer({ kind: "error", n, error: encodeError(error, orpc) })
    }
  }

  #stream(
    source: AsyncIterator<unknown>,
    { name, n, credit, caller, ended }: { name: string; n: number; credit: number; caller: Address; ended: () => void },
  ): SentStream {
    const { orpc, timers, port } = this.#options
    port.trySend(caller, { kind: "stream", n })
    return new SentStream({
      source,
      n,
      credit,
      timers,
      send: (message) => port.send(caller, message),
      trySend: (message) => port.trySend(caller, message),
      encode: (kind, q, value) => ({ kind, n, q, ...encodePayload(`an item of ${name}`, value, orpc) }),
      failure: (q, error) => ({ kind: "failure", n, q, error: encodeError(error, orpc) }),
      ended,
    })
  }

  #abort(message: AbortMessage, from: string, key: string): void {
    const running = this.#running.get(key)
    // If the call comes after its abort, it must not run.
    if (running === undefined) return void this.#isNew(message, from)
    running.stream?.stop()
    running.deadline.abort(undefined)
  }

  #credit({ n, q, from: port }: CreditMessage, from: string, key: string): void {
    const running = this.#running.get(key)
    if (running === undefined) this.#options.port.trySend({ node: from, port }, { kind: "unknown", n })
    else running.stream?.allow(q)
  }

  #isNew({ from: port, n }: CallMessage | AbortMessage, node: string): boolean {
    const caller = `${port} ${node}`
    let window = this.#windows.get(caller)
    // Most calls come from the caller of the call before.
    if (window === undefined || window !== this.#latest) {
      window ??= new ReplayWindow()
      this.#latest = window
      this.#windows.delete(caller)
      this.#windows.set(caller, window)
      if (this.#windows.size > MAX_CALLERS) this.#windows.delete(this.#windows.keys().next().value!)
    }
    return window.accept(n)
  }
}
