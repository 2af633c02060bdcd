/** The transport that phoenix.js's Socket gets: it prepares each attempt to connect, and opens the real transport. */
import type { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import { ABNORMAL } from "../wire/close-codes.ts"
import { paramsError } from "./errors.ts"
import { isPromise, valueOf, whenGiven } from "./given.ts"
import { SafeLongPoll } from "./long-poll.ts"
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
/** How long the answer to a close frame may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000
/** After so many failed attempts in a row a long poll is tried, and the application is warned once. */
const ENOUGH_FAILURES = 3

const REFUSED = "refused (403). Check params, authToken and origins"
const BLOCKED = "only long polling works. Set longPollFallbackMs"
const UNREACHABLE = "no answer. Check the URL"

type CloseDetail = { readonly code?: number | undefined; readonly reason?: string | undefined }

/** A WebSocket or a `LongPoll`. */
interface RealTransport {
  readonly readyState: number
  readonly bufferedAmount?: number | undefined
  skipHeartbeat?: boolean | undefined
  binaryType?: string
  timeout?: number
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

const nothing = (): void => {}
const NO_CALLBACKS = { onopen: nothing, onmessage: nothing, onerror: nothing, onclose: nothing }

/** What the attempts of one connection share. */
export interface Attempts {
  /** The class that phoenix.js makes an instance of for each attempt. */
  readonly transport: Transport
  /** Whether the server refuses the connection. */
  readonly isRefused: boolean
  /**
   * Returns the delay before the next attempt, in milliseconds, with ±50 % jitter: otherwise all clients that lost a server
   * would come back at once. phoenix.js counts attempts anew after each open, however short; here they count on.
   */
  nextDelay(): number
}

/**
 * Returns the transport of one connection.
 *
 * An attempt waits for params and token, and opens a WebSocket. If that fails, a `LongPoll` may take its place: as the
 * connection, or only to find out whether the server refuses the client, which a WebSocket does not tell.
 *
 * @param query the query of the given URL
 * @param random returns numbers from 0 to 1
 * @param report receives errors of params and tokens
 */
export function createAttempts(
  options: SocketOptions,
  query: string,
  timers: Timers,
  random: () => number,
  report: (error: RollcallError) => void,
): Attempts {
  const { params = {}, authToken, timeout = 10_000, longPollFallbackMs: fallbackMs } = options
  const { transport: Given = globalThis.WebSocket } = options
  const Primary = !Given || Given === LongPoll ? SafeLongPoll : Given
  let isRefused = false
  let pending: Promise<Target> | undefined
  let failures = 0
  /** How many attempts were in vain since a connection was stable. */
  let tries = 0
  let openedAt = Infinity
  /** Whether the next transport is a long poll, in the same attempt or the next one. */
  let isLongPollNext = false

  const targetOf = ([params, token]: unknown[]): Target => {
    if (authToken && typeof token !== "string") throw new TypeError("expected authToken to be a string")
    const subprotocol = `base64url.bearer.phx.${btoa(token as string).replace(/=/g, "")}`
    return [queryOf(params, query), authToken ? ["phoenix", subprotocol] : undefined]
  }

  /** Asks for params and token; not twice at a time, if an attempt is given up and made anew. */
  const ask = (): Target | Promise<Target> => {
    if (pending) return pending
    const values = [valueOf(params), valueOf(authToken)]
    if (!values.some(isPromise)) return targetOf(values)
    const asked = Promise.all(values).then(targetOf)
    const settled = (): void => {
      if (pending === asked) pending = undefined
    }
    asked.then(settled, settled)
    return (pending = asked)
  }

  /** One attempt to connect, and its connection. */
  function Attempt(url: string): RealTransport {
    let real: RealTransport | undefined
    let target: [url: string, protocols: string[] | undefined]
    let error: unknown
    /** As in `readyState`: 0 before the real transport is open, 1 while it is, 2 after `close`, 3 at the end. */
    let state = 0
    let timer: unknown
    const setTimer = (run: () => void, ms: number): void => {
      timers.clear(timer)
      timer = timers.set(run, ms)
    }

    const self: RealTransport = {
      get readyState() {
        return state % 3 && real ? real.readyState : state
      },
      get bufferedAmount() {
        return real?.bufferedAmount
      },
      ...NO_CALLBACKS,
      send: (data) => real?.send(data),
      close(code, reason) {
        if (!real) return end({ code, reason })
        state = 2
        // The class of "ws" would wait half a minute for a server that does not answer the close frame.
        setTimer(() => real?.terminate?.(), CLOSE_TIMEOUT_MS)
        real.close(code, reason)
      },
    }

    /** Gives up the real transport; its later events are ignored. */
    const release = (): void => {
      timers.clear(timer)
      if (real) Object.assign(real, NO_CALLBACKS).close()
      real = undefined
    }

    const end = (event: CloseDetail): void => {
      if (state === 3) return
      state = 3
      release()
      self.onclose(event)
    }

    const paramsFailed = (cause: unknown): void => {
      if (state) return
      report(paramsError(url, cause))
      end({ code: ABNORMAL })
    }

    const open = (): void => {
      const isLongPoll = isLongPollNext || Primary === SafeLongPoll
      isLongPollNext = false
      /** Whether a long poll takes its place if it does not work. */
      const isTrial = fallbackMs && !isLongPoll
      let known = UNREACHABLE
      let hasReceived = false

      /** The handshake failed; or the connection received nothing: some proxies let only the handshake pass. */
      const failed = (event: CloseDetail = { code: ABNORMAL }): void => {
        if (isLongPoll) isRefused = error === 403
        else if (isTrial || isRefused || failures % ENOUGH_FAILURES === ENOUGH_FAILURES - 1) {
          isLongPollNext = true
          if (state) return end(event)
          release()
          return open()
        }
        failures += 1
        if (failures === ENOUGH_FAILURES) {
          // oxlint-disable-next-line no-console
          console.warn(`rollcall: cannot connect to ${url}: ${isRefused ? REFUSED : known}`)
        }
        if (error) self.onerror(error)
        end(event)
      }

      setTimer(failed, isTrial ? fallbackMs : HANDSHAKE_TIMEOUT_MS)
      const own = new (isLongPoll ? SafeLongPoll : Primary)(...target) as RealTransport
      real = own
      Object.assign(own, {
        binaryType: options.binaryType ?? "arraybuffer",
        timeout: options.longpollerTimeout ?? HANDSHAKE_TIMEOUT_MS,
        onopen: () => {
          timers.clear(timer)
          // It was opened only to find out whether the server refuses us.
          if (isLongPoll && !fallbackMs && Primary !== SafeLongPoll) {
            known = BLOCKED
            return failed()
          }
          isRefused = false
          failures = 0
          openedAt = timers.now()
          state = 1
          self.skipHeartbeat = own.skipHeartbeat
          if (isTrial) setTimer(failed, fallbackMs)
          self.onopen()
        },
        onmessage: (event) => {
          hasReceived = true
          if (state === 1) timers.clear(timer)
          self.onmessage(event)
        },
        onerror: (given) => {
          error = given
          if (state) self.onerror(given)
        },
        onclose: (event) => {
          if (state && !(isTrial && state === 1 && !hasReceived && event.code === ABNORMAL)) end(event)
          else failed(event)
        },
      } satisfies Partial<RealTransport>)
    }

    setTimer(() => {
      pending = undefined
      paramsFailed(`expected a value within ${timeout} ms`)
    }, timeout)
    whenGiven(
      ask,
      ([query, protocols]) => {
        if (state) return
        target = [query ? url.replace("?", () => `?${query}&`) : url, protocols]
        open()
      },
      paramsFailed,
    )
    return self
  }

  return {
    transport: Attempt as unknown as Transport,
    get isRefused() {
      return isRefused
    },
    nextDelay() {
      if (timers.now() - openedAt >= STABLE_MS) tries = 0
      openedAt = Infinity
      const delay = isRefused ? REFUSED_MS : (DELAYS_MS[tries] ?? STABLE_MS)
      tries += 1
      return !isRefused && options.reconnectAfterMs ? options.reconnectAfterMs(tries) : delay * (0.5 + random())
    },
  }
}
