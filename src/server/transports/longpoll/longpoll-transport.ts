import type { IncomingMessage, ServerResponse } from "node:http"
import type { RollcallError } from "../../../error.ts"
import { isIntroduced } from "../../../wire/introduction.ts"
import { andThen } from "../../awaitable.ts"
import type { Endpoint } from "../../transport.ts"
import { withDeadline } from "../../deadline.ts"
import type { Body } from "./body-budget.ts"
import { readMessages } from "./request-body.ts"
import type { PolledSession, SessionStatus } from "./session.ts"
import { sessionsOf } from "./session-registry.ts"
import { Handshakes, requestedUrl } from "../http-handshake.ts"
import { UNCACHED } from "../http-headers.ts"
import { endSlowBody } from "../slow-body.ts"
import type { HttpTransport } from "../http-transport.ts"
import { singleHeader } from "../../header.ts"

/** How long a transport that closes waits for clients to read their last answer, in ms. */
const CLOSE_GRACE_MS = 1_000

/** The status for each error of a posted body. Clients connect again after any status but 200. */
const BODY_ERRORS: Readonly<Record<string, number>> = { too_large: 413, bad_body: 400, too_busy: 503 }
const BODY_COUNTERS: Readonly<Record<string, string>> = { too_large: "oversized_frames", too_busy: "post_overflows" }

/**
 * Returns the long-poll transport, which serves `<path>/longpoll` (P21–P24).
 *
 * Every answer to a GET or POST is HTTP 200; the outcome is the `status` in its JSON. Clients send binary messages in base64.
 * The protocol has no way to send binary messages to clients.
 */
export function longPollTransport(endpoint: Endpoint): HttpTransport {
  const { limits, timers, count } = endpoint
  const sessions = sessionsOf(endpoint)
  const handshakes = new Handshakes(endpoint)
  const answering = new Set<ServerResponse>()
  /** One callback for each waiting poll, which answers it with 204. */
  const waitingPolls = new Set<() => void>()

  async function connect(request: IncomingMessage, response: ServerResponse, url: URL, path: string): Promise<void> {
    const authToken = singleHeader(request.headers["x-phoenix-authtoken"])
    const admission = await handshakes.requestAdmission(request, response, { path, url, authToken })
    if (response.destroyed) return
    if (admission?.ok !== true) {
      // Clients stop after a 403. They treat every other status as a failure and try again.
      const refusal = admission?.sendReason && { refused: admission.reason }
      respond(response, { status: admission?.status === 403 ? 403 : 500, ...refusal })
      return
    }
    respond(response, { messages: [], status: 410, token: sessions.open(admission, path) })
  }

  /** @param reconnect opens a new session and answers with it; called if this session does not exist any more */
  function poll(session: PolledSession, response: ServerResponse, token: string, reconnect: () => void): void {
    count("polls")
    const timer = timers.set(end, limits.longPollWindowMs)
    waitingPolls.add(end)
    const cancel = session.poll(answer)
    response.once("close", () => {
      settle()
      cancel()
    })

    function settle(): void {
      timers.clear(timer)
      waitingPolls.delete(end)
    }

    /** Answers with 204. The poll is cancelled first, so that later messages wait for the next one. */
    function end(): void {
      cancel()
      answer(204, [])
    }

    function answer(status: SessionStatus, messages: readonly string[]): boolean {
      settle()
      if (response.writableEnded || response.req.socket.destroyed) return false
      if (status === 410) reconnect()
      else respond(response, { messages, status, token })
      return true
    }
  }

  async function post(session: PolledSession, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const turn = sessions.posts.turn(session.id)
    if (turn === undefined) {
      count("post_floods")
      return refuseBody(request, response, 429)
    }
    const endTurn = await turn
    endSlowBody(request, endpoint)
    let body: Body | undefined
    try {
      const messages = await readMessages(request, limits, (refuse) => (body = sessions.budget.open(refuse)))
      const status = session.post(messages)
      void andThen(status, (status) => respond(response, { status }))
      // Until the messages have been handled, or handed to their channels, they are in memory.
      await session.crowded
    } catch (error) {
      const { code } = error as RollcallError
      if (code === "disconnected") return
      count(BODY_COUNTERS[code] ?? "bad_frames")
      refuseBody(request, response, BODY_ERRORS[code] ?? 400)
    } finally {
      body?.release()
      endTurn()
    }
  }

  function refuseBody(request: IncomingMessage, response: ServerResponse, status: number): void {
    endSlowBody(request, endpoint)
    request.resume()
    respond(response, { status })
  }

  function respond(response: ServerResponse, body: object): void {
    if (response.destroyed) return
    // A pipelined response has no socket until the responses before it are done. If the connection breaks first, the response
    // never emits `close`, and the transport's `close()` would wait for it until its timeout. Over HTTP/2, a response whose
    // client has gone has no socket either.
    if (response.socket) {
      answering.add(response)
      response.once("close", () => answering.delete(response))
    }
    const text = Buffer.from(JSON.stringify(body))
    response.writeHead(200, { ...HEADERS, "content-length": text.length })
    response.end(text)
  }

  return {
    name: "longpoll",

    request(request, response, path) {
      if (request.method !== "POST") {
        endSlowBody(request, endpoint)
        request.resume()
      }
      const url = requestedUrl(endpoint, request)
      const token = singleHeader(request.headers["x-phoenix-longpoll-token"]) ?? takeSessionToken(url)
      const isHostPermitted = url === undefined || endpoint.permits(path, { headers: {}, url })
      const isPermitted = url !== undefined && endpoint.permits(path, { headers: request.headers, url })
      const session = isPermitted ? sessions.find(token, path) : undefined
      if (request.method === "OPTIONS") preflight(request, response, isHostPermitted)
      else if (url === undefined || (request.method !== "GET" && request.method !== "POST")) {
        response.writeHead(400, { "access-control-allow-origin": "*", ...UNCACHED }).end()
      } else if (request.method === "POST") {
        if (session !== undefined) void post(session, request, response)
        else refuseBody(request, response, isPermitted ? 410 : 403)
      } else {
        const open = (): void => void connect(request, response, url, path)
        // A client that introduced itself connects again, with new params. Those of this request may contain an expired token.
        const asksAnew = isIntroduced(Object.fromEntries(url.searchParams))
        const reconnect = asksAnew ? (): void => respond(response, { status: 410 }) : open
        if (session === undefined) (sessions.hasIssued(token) ? reconnect : open)()
        else poll(session, response, token as string, reconnect)
      }
    },

    async close() {
      handshakes.close()
      for (const end of waitingPolls) end()
      sessions.close()
      const closed = Promise.all([...answering].map((response) => new Promise((done) => response.once("close", done))))
      const limit = { ms: CLOSE_GRACE_MS, timers, code: "close_timeout", expected: "the last answers to be read" }
      await withDeadline(closed, limit).catch(() => undefined)
    },
  }
}

const HEADERS = {
  "access-control-allow-origin": "*",
  "cache-control": "no-store",
  "content-type": "application/json; charset=utf-8",
}

/**
 * Returns the session's token in a URL. phoenix.js appends it as `token`, also behind an application's own param of that name.
 * It is then removed from the URL, so that `connect` gets the application's.
 */
function takeSessionToken(url: URL | undefined): string | null {
  const tokens = url?.searchParams.getAll("token") ?? []
  const token = tokens.pop() ?? null
  if (url === undefined || tokens.length === 0) return token
  url.searchParams.delete("token")
  for (const own of tokens) url.searchParams.append("token", own)
  return token
}

const isProxyHeader = (name: string): boolean => /^\s*(x-)?forwarded/i.test(name)

/**
 * Answers a CORS preflight. A page may send any header that it asks for, except those of proxies: with `X-Forwarded-Host` it
 * could choose the host that its origin is compared with.
 */
function preflight(request: IncomingMessage, response: ServerResponse, isHostPermitted: boolean): void {
  if (!isHostPermitted) {
    response.writeHead(403, UNCACHED).end()
    return
  }
  const requested = request.headers["access-control-request-headers"] ?? ""
  const headers = {
    "access-control-allow-headers": requested.split(",").some(isProxyHeader) ? "" : requested,
    "access-control-allow-methods": "get, post, options",
    "access-control-allow-origin": "*",
    "access-control-max-age": "3600",
    ...UNCACHED,
  }
  response.writeHead(200, headers).end()
}
