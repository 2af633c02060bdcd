import type { Timers } from "../timers.ts"
import { asTheyCome } from "./answer.ts"
import type { Answer, Unanswered } from "./answer.ts"
import type { CallOptions } from "./call-options.ts"
import { checkedCall } from "./checked-call.ts"
import type { Call } from "./checked-call.ts"
import { cancellation, untilAborted } from "./cancellation.ts"
import type { Abortable, Cancellation } from "./cancellation.ts"
import type { ChosenInstances } from "./chosen-instances.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { closedServices, hasCode, hasNotRun, instanceGone, markNotRun, overloaded, timedOut } from "./errors.ts"
import { guardedStream, isStream } from "./guarded-stream.ts"
import { incarnationOf } from "./instance-row.ts"
import type { RegisteredInstance } from "./instance-row.ts"
import type { MadeCall, ObservedCall, ObservedCalls } from "./observed-calls.ts"
import type { Failure } from "./outcome.ts"
import { backoffMs, isTransient, RetryBudgets } from "./retry.ts"
import type { RemoteCalls } from "./remote-calls.ts"
import type { SentCalls } from "./sent-calls.ts"
import type { ServedInstances } from "./served-instances.ts"

/** What calls need. */
export interface CallsOptions {
  readonly node: string
  readonly timers: Timers
  readonly random: () => number
  readonly chosen: ChosenInstances
  readonly served: ServedInstances
  /** The calls to other nodes; `undefined` without a bus. */
  readonly remote: RemoteCalls | undefined
  readonly observed: ObservedCalls
  readonly maxCallsInFlight: number
  readonly retryShare: number
  readonly count: (name: ServicesCounter) => void
  readonly onError: (error: unknown) => void
}

/** A call while it is running. */
interface RunningCall {
  readonly overall: Cancellation
  readonly observed: MadeCall
  /** Ends it; called by the stream that is its answer, if it is one. */
  readonly ended: (failure?: Failure) => void
}

/** How often a call goes on to another instance because one refused it without running it. */
const MAX_REFUSALS = 3

/** The calls of this node: each is routed, has a deadline, and ends with one answer or one error. */
export class Calls {
  readonly #options: CallsOptions
  readonly #budgets: RetryBudgets
  #inFlight = 0
  #isClosed = false

  /** The number of attempts and streams that are not over. */
  get inFlight(): number {
    return this.#inFlight
  }

  constructor(options: CallsOptions) {
    this.#options = options
    this.#budgets = new RetryBudgets(options.retryShare)
  }

  /** Calls a method of one instance, and of others if it fails and the method is idempotent. */
  async call(
    service: string,
    method: string | readonly string[],
    input: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    const call = this.#open(service, method, input, options)
    return this.#running(call, this.#cancellation(call, call.timeoutMs, call.signal), (running) =>
      this.#attempts(call, running),
    )
  }

  /** Calls all instances, and returns their answers as they come. Leaving the loop aborts the calls that are left. */
  callAll(
    service: string,
    method: string | readonly string[],
    input: unknown,
    options: CallOptions,
  ): AsyncIterableIterator<Answer> {
    const { chosen } = this.#options
    const call = this.#open(service, method, input, options)
    const unanswered: Unanswered[] = []
    for (const entry of chosen.candidates(service)) {
      const { instance } = entry
      // With a deadline of its own, so that the end of one instance does not abort the calls to the others.
      const overall = this.#cancellation(call, call.timeoutMs, call.signal)
      const answer = this.#running(call, overall, (running) => this.#attempt(entry, call, running)).then(
        (value): Answer => ({ instance, value }),
        (error: unknown): Answer => ({ instance, error }),
      )
      unanswered.push({ answer, overall })
    }
    return asTheyCome(unanswered)
  }

  /** Calls a method without waiting for an answer. What prevents that is reported. */
  cast(service: string, method: string | readonly string[], input: unknown, options: CallOptions): void {
    const call = this.#open(service, method, input, options)
    const overall = this.#cancellation(call, call.timeoutMs, call.signal)
    const { served, chosen, node, onError } = this.#options
    const run = async ({ observed }: RunningCall): Promise<void> => {
      if (overall.signal.aborted) throw overall.signal.reason
      const entry = chosen.choose(call)
      const { id } = entry.instance
      chosen.called(service, id)()
      const { path } = call
      const attempt = this.#observedAttempt(entry, call, observed, overall.signal)
      const trace = attempt.traceparent
      try {
        if (served.has(id)) {
          const output = await served.run(id, { path, input, caller: node, trace, cancellation: overall })
          if (isStream(output)) await output.return?.()
        } else {
          const sent = await this.#sent(entry, call, overall.signal)
          sent.cast(entry, { ...call, trace, ms: overall.remainingMs() })
        }
        attempt.ended()
      } catch (error) {
        attempt.ended({ error })
        throw error
      }
    }
    this.#running(call, overall, run, "cast").catch(onError)
  }

  /** Refuses all calls from now on. */
  close(): void {
    this.#isClosed = true
  }

  /** Runs a call, observes it, and ends its deadline when it is over: at the end of the stream, if its answer is one. */
  async #running(
    call: Call,
    overall: Cancellation,
    run: (running: RunningCall) => Promise<unknown>,
    outcomeOfSuccess?: string,
  ): Promise<unknown> {
    const observed = this.#options.observed.call(call, outcomeOfSuccess)
    const ended = (failure?: Failure): void => {
      overall.end()
      observed.ended(failure)
    }
    try {
      const output = await run({ overall, observed, ended })
      if (!isStream(output)) ended()
      return output
    } catch (error) {
      ended({ error })
      throw error
    }
  }

  async #attempts(call: Call, running: RunningCall): Promise<unknown> {
    const { chosen, count } = this.#options
    const { overall } = running
    const { tried } = call
    let retries = 0
    let failure: unknown
    let isIdempotent = call.idempotent ?? false
    for (;;) {
      let entry: RegisteredInstance
      try {
        entry = chosen.choose(call)
      } catch (error) {
        if (failure === undefined || !hasCode(error, "no_instance")) throw error
        // The error of the instance says more. And another one may come: a restarted one, for instance.
        if (!isIdempotent || retries >= call.retries) throw failure
        await this.#backoff((retries += 1), overall)
        continue
      }
      if (tried.length === 0) this.#budgets.called(call.service)
      isIdempotent = call.idempotent ?? entry.idempotent.includes(call.method)
      const left = isIdempotent ? call.retries - retries : 0
      const share = left > 0 ? overall.remainingMs() / (left + 1) : undefined
      try {
        return await this.#attempt(entry, call, running, { shareMs: share, retries: tried.length })
      } catch (error) {
        failure = error
        tried.push(incarnationOf(entry))
        if (overall.signal.aborted || !isTransient(error)) throw error
        if (hasNotRun(error) && tried.length <= MAX_REFUSALS && hasCode(error, "draining", "instance_gone")) continue
        if (left === 0) throw error
        if (!this.#budgets.take(call.service)) {
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

  /**
   * Calls one instance.
   * @param shareMs the time for this attempt, if it is less than that of the call
   * @param retries the number of attempts before this one
   */
  async #attempt(
    entry: RegisteredInstance,
    call: Call,
    { overall, observed, ended }: RunningCall,
    { shareMs, retries = 0 }: { readonly shareMs?: number | undefined; readonly retries?: number } = {},
  ): Promise<unknown> {
    const { chosen, served, node, maxCallsInFlight, count } = this.#options
    const { id } = entry.instance
    if (overall.signal.aborted) throw overall.signal.reason
    if (this.#inFlight >= maxCallsInFlight) {
      count("services_overloads")
      throw markNotRun(overloaded(call.name, "this node"))
    }
    count("services_calls")
    this.#inFlight += 1
    const called = chosen.called(call.service, id)
    const cancellation = shareMs === undefined ? overall : this.#cancellation(call, shareMs, overall.signal)
    const { signal } = cancellation
    const attempt = this.#observedAttempt(entry, call, observed, signal, retries)
    const attemptEnded = (failure?: Failure): void => {
      this.#inFlight -= 1
      called()
      if (cancellation !== overall) cancellation.end()
      attempt.ended(failure)
    }
    const { name, path, input } = call
    const trace = attempt.traceparent
    try {
      const output = served.has(id)
        ? await served.run(id, { path, input, caller: node, trace, cancellation })
        : await (await this.#sent(entry, call, signal)).call(entry, { name, path, input, trace, cancellation })
      if (!isStream(output)) {
        attemptEnded()
        return output
      }
      cancellation.keepOpen()
      overall.keepOpen()
      const streamEnded = (failure?: Failure): void => {
        attemptEnded(failure)
        ended(failure)
      }
      return guardedStream({ source: output, signal, failed: (error) => error, ended: streamEnded })
    } catch (error) {
      attemptEnded({ error })
      throw error
    }
  }

  #observedAttempt(
    { instance }: RegisteredInstance,
    { service, method }: Call,
    call: MadeCall,
    signal: Abortable,
    retries = 0,
  ): ObservedCall {
    const { id, node } = instance
    call.instance = id
    return this.#options.observed.attempt(call, { service, method, instance: id, peer: node, retries }, signal)
  }

  /** @throws RollcallError `closed`; ConfigError for an invalid option */
  #open(...call: Parameters<typeof checkedCall>): Call {
    if (this.#isClosed) throw closedServices()
    return checkedCall(...call)
  }

  #cancellation({ name, timeoutMs }: Call, ms: number, parent: Abortable | undefined): Cancellation {
    return cancellation({ timers: this.#options.timers, ms, parent, expired: () => timedOut(name, timeoutMs) })
  }

  /**
   * Returns the calls to other nodes, once this node can receive their answers.
   * @throws RollcallError `instance_gone` if the instance was one of this node
   */
  #sent({ instance }: RegisteredInstance, { name }: Call, signal: Abortable): SentCalls | Promise<SentCalls> {
    const { remote, node } = this.#options
    // The route, or a handler of `callAll`, has just ended it. A message to the own node would come nowhere.
    if (remote === undefined || instance.node === node) throw markNotRun(instanceGone(name, instance.id))
    return remote.port === undefined ? untilAborted(signal, remote.open()) : remote.sent!
  }
}
