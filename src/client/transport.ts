/** The transport that phoenix.js's Socket gets. It prepares each attempt to connect, and opens the real transport. */
import { ConfigError, type RollcallError } from "../error.ts"
import type { Clock } from "../timers.ts"
import type { Trace } from "./debug.ts"
import { ABNORMAL } from "../wire/close-codes.ts"
import { CLIENT_NAME, CLIENT_PARAM } from "../wire/introduction.ts"
import { warn } from "./callback-errors.ts"
import { paramsError } from "./errors.ts"
import { isPromise, valueOf, whenGiven } from "./given.ts"
import { SafeLongPoll, type Refusal } from "./long-poll.ts"
import { LongPoll, type SocketOptions, type Transport } from "./phoenix.ts"
import { queryOf } from "./query.ts"

/** The delays before the first attempts, in milliseconds; then 5 s. */
const DELAYS_MS = [6, 100, 500, 1000, 2000]
/** A connection that was open for less, in milliseconds, counts as a failed attempt. */
const STABLE_MS = 5000
/** The delay while the server refuses the connection, in milliseconds. */
const REFUSED_MS = 30_000
/** How long a handshake may take, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 20_000
/** How long the response to a close frame may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000
/** After so many failed handshakes in a row, a long poll is tried, and the application is warned once. */
const ENOUGH_FAILURES = 3

export type CloseDetail = { readonly code?: number | undefined; readonly reason?: string | undefined }

/** A WebSocket or a `LongPoll`. */
interface RealTransport {
  readonly readyState: number
  readonly bufferedAmount?: number | undefined
  readonly skipHeartbeat?: boolean | undefined
  /** Of a `SafeLongPoll`. */
  readonly refusal?: Refusal | undefined
  binaryType: string
  timeout: number
  onopen(): void
  onmessage(event: { data: unknown }): void
  onerror(error: unknown): void
  onclose(event: CloseDetail): void
  send(data: unknown): void
  close(code?: number, reason?: string): void
  /** In Node: ends without a close frame. */
  terminate?(): void
}

type Target = [query: string, protocols: string[] | undefined]

/** What the attempts of one connection share. */
export interface Attempts {
  /** The class that phoenix.js makes an instance of for each attempt. */
  readonly transport: Transport
  /** Why the server refuses the connection: its reason, or 403. `undefined` if it does not, as far as is known. */
  refusal: Refusal | undefined
  /**
   * Returns the delay before the next attempt, in milliseconds, with ±50 % jitter: otherwise all clients that lost a server
   * would come back at once. phoenix.js would begin anew after each open, however short.
   */
  nextDelay(): number
  /** To be called once the server has answered a message of the open connection. */
  answered(): void
  /** Begins anew with short delays. */
  reset(): void
}

/**
 * Returns the transport of one connection.
 *
 * An attempt waits for params and token, and opens a WebSocket. If its handshake fails, the next attempt may be a `LongPoll`: as
 * the connection, or only to find out whether the server refuses the client, which a WebSocket does not report.
 *
 * @throws ConfigError if params or a token that no function gives cannot be sent
 * @param query the query of the given URL
 * @param random returns numbers from 0 to 1
 * @param report receives errors of params and tokens
 */
export function createAttempts(
  options: Omit<SocketOptions, "debug">,
  query: string,
  timers: Clock,
  random: () => number,
  report: (error: RollcallError) => void,
  trace: Trace,
): Attempts {
  const {
    params = {},
    authToken,
    timeout = 10_000,
    longPollFallbackMs: fallbackMs,
    reconnectAfterMs,
    transport: Given = globalThis.WebSocket,
  } = options
  const isLongPollOnly = !Given || Given === LongPoll
  /** Whether a long poll would find out nothing, because this is no transport to a server. */
  const { isFinal } = Object(Given) as { readonly isFinal?: true }
  let pending: Promise<Target> | undefined
  let failures = 0
  /** How many attempts failed since a connection was stable. */
  let tries = 0
  let openedAt = Infinity
  let isLongPollNext = false
  /** Whether it is known that the open connection carries answers. */
  let isAnswered = false

  const targetOf = ([params, token]: unknown[]): Target => {
    if (authToken && typeof token !== "string") throw new TypeError(`expected a string, got ${typeof token}`)
    const subprotocol = `base64url.bearer.phx.${btoa(token as string).replace(/=/g, "")}`
    return [queryOf(params, query), authToken ? ["phoenix", subprotocol] : undefined]
  }

  try {
    targetOf([typeof params === "function" ? {} : params, typeof authToken === "function" ? "" : authToken])
  } catch (cause) {
    throw new ConfigError(`expected params and authToken to be sendable, got ${String(cause)}`, { cause })
  }

  const forget = (): void => (pending = undefined)

  /** Asks for params and token; not twice at a time, if an attempt is given up and made anew. */
  const ask = (): Target | Promise<Target> => {
    if (pending) return pending
    const values = [params, authToken].map(valueOf)
    if (!values.some(isPromise)) return targetOf(values)
    return (pending = Promise.all(values).then(targetOf).finally(forget))
  }

  /** One attempt to connect, and its connection. */
  function Attempt(url: string): RealTransport {
    /** Whether it is a long poll because the attempt before failed. */
    const isSecond = isLongPollNext
    const isLongPoll = isLongPollOnly || isSecond
    /** Whether a long poll follows if the connection carries no answer: some proxies let only the handshake pass. */
    const isTrial = fallbackMs && !isLongPoll
    isLongPollNext = false
    let real: RealTransport | undefined
    /** As in `readyState`: 0 before the real transport is open, 1 while it is, 2 after `close`, 3 at the end. */
    let state = 0
    let timer: unknown
    const setTimer = (run: () => void, ms: number): void => {
      timers.clear(timer)
      timer = timers.set(run, ms)
    }

    // phoenix.js adds the callbacks.
    const self = {
      get readyState() {
        return state % 3 ? real!.readyState : state
      },
      get bufferedAmount() {
        return real?.bufferedAmount
      },
      get skipHeartbeat() {
        return real?.skipHeartbeat
      },
      send(data: unknown) {
        real!.send(data)
      },
      close(code?: number, reason?: string) {
        if (state === 3) return
        if (!real) return end()
        state = 2
        // The class of "ws" would wait half a minute for a server that does not answer the close frame.
        setTimer(() => real!.terminate?.(), CLOSE_TIMEOUT_MS)
        real.close(code, reason)
      },
    } as RealTransport

    const end = (event: CloseDetail = { code: ABNORMAL }): void => {
      state = 3
      timers.clear(timer)
      real?.close()
      self.onclose(event)
    }

    /** Ignores what a transport reports after its end: one of "ws" that is closed during its handshake reports an error. */
    const untilEnd =
      <Event>(callback: (event: Event) => void) =>
      (event: Event): void => {
        if (state < 3) callback(event)
      }

    const paramsFailed = (cause: unknown): void => {
      if (state) return
      report(paramsError(url, cause))
      end()
    }

    const failed = (event?: CloseDetail, known = "no answer. Check the URL"): void => {
      if (isLongPoll) attempts.refusal = real?.refusal
      if (!isSecond) failures += 1
      isLongPollNext = !isLongPoll && !isFinal && !!(fallbackMs || attempts.refusal || failures % ENOUGH_FAILURES === 0)
      if (isLongPoll && failures === ENOUGH_FAILURES) {
        const what = attempts.refusal ? `refused (${attempts.refusal}). Check params, authToken and origins` : known
        warn(`cannot connect to ${url}: ${what}`)
      }
      end(event)
    }

    const open = ([query, protocols]: Target): void => {
      if (state) return
      const target = query ? url.replace("?", () => `?${query}&`) : url
      const introduction = /[?&]client=/.test(target) ? "" : `&${CLIENT_PARAM}=${CLIENT_NAME}`
      setTimer(failed, isTrial ? fallbackMs : HANDSHAKE_TIMEOUT_MS)
      trace("", "tries", url, isLongPoll ? "long poll" : "WebSocket")
      const RealClass = (isLongPoll ? SafeLongPoll : Given) as new (...target: unknown[]) => RealTransport
      real = Object.assign(new RealClass(target + introduction, protocols), {
        onopen: untilEnd<void>(() => {
          if (isSecond && !fallbackMs) return failed(undefined, "only long polling works. Set longPollFallbackMs")
          timers.clear(timer)
          failures = 0
          openedAt = timers.now()
          state = 1
          // phoenix.js has set them. The first poll ends with the handshake.
          real!.binaryType = self.binaryType
          real!.timeout = self.timeout
          isAnswered = !isTrial
          if (isTrial) setTimer(() => isAnswered || failed(), fallbackMs)
          self.onopen()
        }),
        onmessage: untilEnd((event) => self.onmessage(event)),
        onerror: untilEnd((error) => self.onerror(error)),
        onclose: untilEnd<CloseDetail>((event) => {
          const isVain = !state || (state === 1 && !isAnswered && event.code === ABNORMAL)
          ;(isVain ? failed : end)(event)
        }),
      } satisfies Partial<RealTransport>)
    }

    setTimer(() => {
      forget()
      paramsFailed(`expected a value within ${timeout} ms`)
    }, timeout)
    whenGiven(ask, open, paramsFailed)
    return self
  }

  const attempts: Attempts = {
    reset: () => (tries = 0),
    transport: Attempt as unknown as Transport,
    refusal: undefined,
    answered: () => (isAnswered = true),
    nextDelay() {
      if (isLongPollNext) return 0
      if (timers.now() - openedAt >= STABLE_MS) tries = 0
      openedAt = Infinity
      tries += 1
      const ms =
        reconnectAfterMs && !attempts.refusal
          ? reconnectAfterMs(tries)
          : (attempts.refusal ? REFUSED_MS : (DELAYS_MS[tries - 1] ?? STABLE_MS)) * (0.5 + random())
      trace("", "tries again in", ms, "ms")
      return ms
    },
  }
  return attempts
}
