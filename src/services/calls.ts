import type { Timers } from "../timers.ts"
import type { Answer } from "./answer.ts"
import { checkedOptions, pathOf } from "./call-options.ts"
import type { CallOptions, CheckedCallOptions } from "./call-options.ts"
import { cancellation, untilAborted } from "./cancellation.ts"
import type { Cancellation } from "./cancellation.ts"
import type { ChosenInstances } from "./chosen-instances.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { closedServices, hasCode, hasNotRun, markNotRun, overloaded, timedOut } from "./errors.ts"
import { guardedStream, isStream } from "./guarded-stream.ts"
import { incarnationOf } from "./instance-row.ts"
import type { RegisteredInstance } from "./instance-row.ts"
import { backoffMs, RetryBudget } from "./retry.ts"
import type { RemoteCalls } from "./remote-calls.ts"
import type { SentCalls } from "./sent-calls.ts"
import type { ServedInstances } from "./served-instances.ts"
import type { Trace } from "./trace.ts"

/** What calls need. */
export interface CallsOptions {
  readonly node: string
  readonly timers: Timers
  readonly random: () => number
  readonly chosen: ChosenInstances
  readonly served: ServedInstances
  /** The calls to other nodes; `undefined` without a bus. */
  readonly remote: RemoteCalls | undefined
  readonly trace: () => Trace | undefined
  readonly maxCallsInFlight: number
  readonly retryShare: number
  readonly count: (name: ServicesCounter) => void
  readonly onError: (error: unknown) => void
}

/** One call, with everything that its attempts share. */
interface Call extends CheckedCallOptions {
  readonly service: string
  readonly path: readonly string[]
  readonly method: string
  readonly name: string
  readonly input: unknown
}

/** How often a call goes on to another instance because one refused it without running it. */
const MAX_REFUSALS = 3

/** The calls of this node: each is routed, has a deadline, and ends with one answer or one error. */
export class Calls {
  readonly #options: CallsOptions
  /** Service → the retries that are left for it. */
  readonly #budgets = new Map<string, RetryBudget>()
  #inFlight = 0
  #isClosed = false

  constructor(options: CallsOptions) {
    this.#options = options
  }

  /** Calls a method of one instance, and of others if it fails and the method is idempotent. */
  async call(
    service: string,
    method: string | readonly string[],
    input: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const call = this.#checked(service, method, input, options)
    const overall = this.#cancellation(call, call.timeoutMs, call.signal)
    try {
      const output = await this.#attempts(call, overall)
      if (!isStream(output)) overall.end()
      return output
    } catch (error) {
      overall.end()
      throw error
    }
  }

  /** Calls all instances, and returns their answers as they come. Leaving the loop aborts the calls that are left. */
  callAll(
    service: string,
    method: string | readonly string[],
    input: unknown,
    options: CallOptions,
  ): AsyncIterableIterator<Answer> {
    const { chosen } = this.#options
    const call = this.#checked(service, method, input, options)
    const overall = this.#cancellation(call, call.timeoutMs, call.signal)
    const answers = new Map<string, Promise<Answer>>()
    for (const entry of chosen.candidates(service)) {
      const { instance } = entry
      // With a cancellation of its own, so that the end of one instance does not abort the calls to the others.
      const answer = this.#attempt(entry, call, overall, overall.remainingMs()).then(
        (value): Answer => ({ instance, value }),
        (error: unknown): Answer => ({ instance, error }),
      )
      answers.set(instance.id, answer)
    }
    return settledInOrder(answers, overall)
  }

  /** Calls a method without waiting for an answer. What prevents that is reported. */
  cast(service: string, method: string | readonly string[], input: unknown, options: CallOptions): void {
    const call = this.#checked(service, method, input, options)
    const overall = this.#cancellation(call, call.timeoutMs, call.signal)
    const { served, chosen, node, onError } = this.#options
    const run = async (): Promise<void> => {
      const entry = chosen.choose({ ...call, tried: [] })
      chosen.called(service, entry.instance.id)()
      const { path } = call
      const trace = this.#traceOf(call)
      if (served.has(entry.instance.id)) {
        const { input } = call
        const output = await served.run(entry.instance.id, { path, input, caller: node, trace, cancellation: overall })
        if (isStream(output)) await output.return?.()
      } else {
        const sent = await this.#sent(overall.signal)
        sent.cast(entry, { ...call, trace, ms: overall.remainingMs() })
      }
    }
    void run()
      .catch(onError)
      .finally(() => overall.end())
  }

  /** Refuses all calls from now on. */
  close(): void {
    this.#isClosed = true
  }

  async #attempts(call: Call, overall: Cancellation): Promise<unknown> {
    const { chosen, count } = this.#options
    const budget = this.#budgetOf(call.service)
    budget.called()
    const tried: string[] = []
    let retries = 0
    let failure: unknown
    let isIdempotent = call.idempotent ?? false
    for (;;) {
      let entry: RegisteredInstance
      try {
        entry = chosen.choose({ ...call, tried })
      } catch (error) {
        if (failure === undefined || !hasCode(error, "no_instance")) throw error
        // The error of the instance says more. And another one may come: a restarted one, for instance.
        if (!isIdempotent || retries >= call.retries) throw failure
        await this.#backoff((retries += 1), overall)
        continue
      }
      isIdempotent = call.idempotent ?? entry.idempotent.includes(call.method)
      const left = isIdempotent ? call.retries - retries : 0
      const share = left > 0 ? overall.remainingMs() / (left + 1) : undefined
      try {
        return await this.#attempt(entry, call, overall, share)
      } catch (error) {
        failure = error
        tried.push(incarnationOf(entry))
        if (overall.signal.aborted || !isTransient(error)) throw error
        if (hasNotRun(error) && tried.length <= MAX_REFUSALS && hasCode(error, "draining", "instance_gone")) continue
        if (left === 0) throw error
        if (!budget.take()) {
          count("services_retries_refused")
          throw error
        }
        count("services_retries")
        await this.#backoff((retries += 1), overall)
      }
    }
  }

  #backoff(retry: number, { signal }: Cancellation): Promise<void> {
    const { timers, random } = this.#options
    return untilAborted(signal, new Promise((resolve) => timers.set(resolve, backoffMs(retry, random))))
  }

  /** Calls one instance. @param shareMs the time for this attempt, if it is less than that of the call */
  async #attempt(entry: RegisteredInstance, call: Call, overall: Cancellation, shareMs?: number): Promise<unknown> {
    const { chosen, served, node, maxCallsInFlight, count } = this.#options
    const { id } = entry.instance
    overall.signal.throwIfAborted()
    if (this.#inFlight >= maxCallsInFlight) {
      count("services_overloads")
      throw markNotRun(overloaded(call.name, "this node"))
    }
    count("services_calls")
    this.#inFlight += 1
    const called = chosen.called(call.service, id)
    const attempt = shareMs === undefined ? overall : this.#cancellation(call, shareMs, overall.signal)
    const ended = (): void => {
      this.#inFlight -= 1
      called()
      if (attempt !== overall) attempt.end()
    }
    const { signal } = attempt
    const { name, path, input } = call
    try {
      const trace = this.#traceOf(call)
      const output = served.has(id)
        ? await served.run(id, { path, input, caller: node, trace, cancellation: attempt })
        : await (await this.#sent(signal)).call(entry, { name, path, input, trace, cancellation: attempt })
      if (!isStream(output)) {
        ended()
        return output
      }
      attempt.keepOpen()
      overall.keepOpen()
      const streamEnded = (): void => {
        ended()
        overall.end()
      }
      return guardedStream({ source: output, signal, failed: (error) => error, ended: streamEnded })
    } catch (error) {
      ended()
      throw error
    }
  }

  #checked(service: string, method: string | readonly string[], input: unknown, options: CallOptions): Call {
    if (this.#isClosed) throw closedServices()
    const path = pathOf(method)
    const joined = typeof method === "string" ? method : path.join(".")
    return Object.assign(checkedOptions(options), {
      service,
      path,
      method: joined,
      name: `${service}.${joined}`,
      input,
    })
  }

  #cancellation({ name, timeoutMs }: Call, ms: number, parent: AbortSignal | undefined): Cancellation {
    return cancellation({ timers: this.#options.timers, ms, parent, expired: () => timedOut(name, timeoutMs) })
  }

  /** Returns the calls to other nodes, once this node can receive their answers. */
  #sent(signal: AbortSignal): SentCalls | Promise<SentCalls> {
    // Instances of other nodes are chosen only where there is a bus.
    const remote = this.#options.remote!
    return remote.port === undefined ? untilAborted(signal, remote.open()) : remote.sent!
  }

  #traceOf({ traceparent }: Call): string | undefined {
    return traceparent ?? this.#options.trace()?.active()
  }

  #budgetOf(service: string): RetryBudget {
    let budget = this.#budgets.get(service)
    if (budget === undefined) this.#budgets.set(service, (budget = new RetryBudget(this.#options.retryShare)))
    return budget
  }
}

/** Whether another instance may succeed: all errors but those of handlers, of the program, and of the caller's abort. */
function isTransient(error: unknown): boolean {
  return hasCode(error, "timeout", "instance_gone", "draining", "overloaded", "stream_gap")
}

async function* settledInOrder(answers: Map<string, Promise<Answer>>, overall: Cancellation): AsyncGenerator<Answer> {
  try {
    while (answers.size > 0) {
      const answer = await Promise.race(answers.values())
      answers.delete(answer.instance.id)
      yield answer
    }
  } finally {
    overall.abort(undefined)
    overall.end()
  }
}
