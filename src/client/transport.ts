/** The transport that phoenix.js's Socket gets: it prepares each attempt to connect, and opens the real transport. */
import { RollcallError } from "../error.ts"
import type { Timers } from "../timers.ts"
import { ABNORMAL } from "../wire/close-codes.ts"
import type { Backoff } from "./backoff.ts"
import type { ConnectionReason } from "./connect-options.ts"
import { PARAMS_FAILED } from "./errors.ts"
import { isPromise, valueOf, whenGiven } from "./given.ts"
import { SafeLongPoll } from "./long-poll.ts"
import { LongPoll, type SocketOptions, type Transport } from "./phoenix.ts"
import { queryOf } from "./query.ts"

/** How long a handshake may take, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 20_000
/** How long the answer to a close frame may take, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1000
/** After so many failed attempts in a row it is found out what long polling says, and the application is warned. */
const ENOUGH_FAILURES = 3
/** The key under which phoenix.js stores that only long polling works. */
const FALLBACK_KEY = "phx:fallback:LongPoll"

const REFUSED = "the server refuses it (403). Check params, authToken and the allowed origins"
const BLOCKED = "only long polling works. Set longPollFallbackMs"
const UNREACHABLE = "neither WebSocket nor long polling works. Check the URL"

type CloseDetail = { readonly code?: number | undefined; readonly reason?: string | undefined }

/** A WebSocket or a `LongPoll`. */
interface RealTransport {
  readonly readyState: number
  readonly bufferedAmount?: number
  skipHeartbeat?: boolean
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

/** What the attempts of one connection share. */
export interface Attempts {
  /** The class that phoenix.js makes an instance of for each attempt. */
  readonly transport: Transport
  /** Why the last attempt has failed, as far as it is known. */
  readonly reason: ConnectionReason | undefined
}

/**
 * Returns the transport of one connection.
 *
 * An attempt waits for params and token, and opens a WebSocket. If that fails, a `LongPoll` may take its place: as the
 * connection, or only to find out whether the server refuses the client, which a WebSocket does not tell.
 *
 * @param url the query of the given URL
 * @param report receives errors of params and tokens
 */
export function createAttempts(
  options: SocketOptions,
  query: string,
  timers: Timers,
  backoff: Backoff,
  report: (error: RollcallError) => void,
): Attempts {
  const { params = {}, authToken, timeout = 10_000, longPollFallbackMs: fallbackMs } = options
  const { transport: Given = globalThis.WebSocket } = options
  const Primary = !Given || Given === LongPoll ? SafeLongPoll : (Given as Transport)
  let reason: ConnectionReason | undefined
  let pending: Promise<Target> | undefined
  let failures = 0
  let hasWarned = false
  /** Whether a WebSocket has received a message. Until then, one failure is enough to fall back. */
  let isProven = Primary === SafeLongPoll
  let isLongPollNext = fallbackMs && store("getItem")

  /** Calls a method of the storage. In a sandboxed page even its name throws, and it may be full. */
  function store(method: "getItem" | "setItem" | "removeItem"): string | null | void {
    try {
      return (options.sessionStorage ?? sessionStorage)[method](FALLBACK_KEY, "true")
    } catch {}
  }

  const targetOf = ([params, token]: unknown[]): Target => {
    if (authToken && typeof token !== "string") throw new TypeError("expected authToken to be a string")
    const subprotocol = `base64url.bearer.phx.${btoa(token as string).replace(/=/g, "")}`
    return [[query, queryOf(params)].filter(Boolean).join("&"), authToken ? ["phoenix", subprotocol] : undefined]
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
    let timer = timers.set(() => {
      pending = undefined
      paramsFailed(`expected params and authToken within ${timeout} ms`)
    }, timeout)

    const self: RealTransport = {
      get readyState() {
        return state % 3 && real ? real.readyState : state
      },
      get bufferedAmount() {
        return real?.bufferedAmount ?? 0
      },
      onopen() {},
      onmessage() {},
      onerror() {},
      onclose() {},
      send: (data) => real?.send(data),
      close(code, reason) {
        if (!real) return end({ code, reason })
        timers.clear(timer)
        state = 2
        // The class of "ws" would wait half a minute for a server that does not answer the close frame.
        timer = timers.set(() => real?.terminate?.(), CLOSE_TIMEOUT_MS)
        real.close(code, reason)
      },
    }

    /** Gives up the real transport; its later events are ignored. */
    const release = (): void => {
      const former = real
      real = undefined
      timers.clear(timer)
      former?.close()
    }

    const end = (event: CloseDetail): void => {
      if (state === 3) return
      state = 3
      release()
      self.onclose(event)
    }

    const paramsFailed = (cause: unknown): void => {
      if (state) return
      const detail = new RollcallError(PARAMS_FAILED, `params or authToken of ${url}: ${String(cause)}`, { cause })
      reason = { code: PARAMS_FAILED, detail }
      report(detail)
      end({ code: ABNORMAL })
    }

    const open = (Transport: Transport): void => {
      const isLongPoll = Transport === SafeLongPoll
      const isTrial = fallbackMs && !isProven && !isLongPoll
      let known = UNREACHABLE
      let hasReceived = false

      /** The handshake failed; or the connection received nothing: some proxies let only the handshake pass. */
      const failed = (event: CloseDetail): void => {
        failures += 1
        if (isLongPoll) reason = error === 403 ? { code: "refused", detail: error } : undefined
        else if (isTrial || reason || failures % ENOUGH_FAILURES === 0) {
          if (state) isLongPollNext = "true"
          else {
            failures -= 1
            release()
            return open(SafeLongPoll)
          }
        }
        if (!state) {
          if (!hasWarned && (reason || failures >= ENOUGH_FAILURES)) {
            hasWarned = true
            // oxlint-disable-next-line no-console
            console.warn(`rollcall: cannot connect to ${url}: ${reason ? REFUSED : known}`)
          }
          if (error) self.onerror(error)
        }
        end(event)
      }

      timers.clear(timer)
      const fail = (): void => failed({ code: ABNORMAL })
      timer = timers.set(fail, isTrial ? fallbackMs : HANDSHAKE_TIMEOUT_MS)
      let own: RealTransport
      const whileOwn =
        <T>(handle: (detail: T) => void) =>
        (detail: T): void => {
          if (real === own) handle(detail)
        }
      try {
        own = new Transport(...target) as RealTransport
      } catch (cause) {
        error = cause
        timers.clear(timer)
        timer = timers.set(fail, 0)
        return
      }
      real = own
      Object.assign(own, {
        binaryType: options.binaryType ?? "arraybuffer",
        timeout: options.longpollerTimeout ?? 20_000,
        onopen: whileOwn(() => {
          timers.clear(timer)
          if (isLongPoll && !fallbackMs && Primary !== SafeLongPoll) {
            known = BLOCKED
            return fail()
          }
          reason = undefined
          backoff.opened()
          state = 1
          if (own.skipHeartbeat) self.skipHeartbeat = true
          if (isTrial) timer = timers.set(fail, fallbackMs)
          self.onopen()
        }),
        onmessage: whileOwn((event: { data: unknown }) => {
          if (!hasReceived) {
            hasReceived = true
            failures = 0
            timers.clear(timer)
            if (!isLongPoll) isProven = true
            if (!isProven || !isLongPoll) store(isLongPoll ? "setItem" : "removeItem")
          }
          self.onmessage(event)
        }),
        onerror: whileOwn((given) => {
          error = given
          if (state) self.onerror(given)
        }),
        onclose: whileOwn((event: CloseDetail) => {
          if (state === 2 || (state && (hasReceived || isLongPoll || event.code !== ABNORMAL))) end(event)
          else failed(event)
        }),
      })
    }

    whenGiven(
      ask,
      ([query, protocols]) => {
        if (state) return
        if (reason?.code === PARAMS_FAILED) reason = undefined
        target = [query ? url.replace("?", () => `?${query}&`) : url, protocols]
        const isLongPoll = isLongPollNext
        isLongPollNext = null
        open(isLongPoll ? SafeLongPoll : Primary)
      },
      paramsFailed,
    )
    return self
  }

  return {
    transport: Attempt as unknown as Transport,
    get reason() {
      return reason
    },
  }
}
