import type { IncomingMessage, ServerResponse } from "node:http"
import { RollcallError } from "../../../error.ts"
import type { Data } from "../../../wire/message.ts"
import type { Endpoint } from "../../transport.ts"
import { withDeadline } from "../../deadline.ts"
import { UNCACHED } from "../websocket/upgrade-request.ts"
import { readMessages } from "./request-body.ts"
import type { PolledSession, SessionStatus } from "./session.ts"
import { sessionsOf } from "./sessions.ts"
import { requestAdmission, urlOf } from "../http-handshake.ts"
import type { HttpTransport } from "../http-transport.ts"
import { singleHeader } from "../../header.ts"

/** How long a client may take to read its last answer, in ms. */
const CLOSE_GRACE_MS = 1_000

/** What is wrong with a posted body → the status that the client is told. */
const REFUSALS: Readonly<Record<string, number>> = { too_large: 413, bad_body: 400 }

/**
 * The long-poll transport, at `<path>/longpoll` (P21–P24).
 *
 * Every answer is HTTP 200; what happened is in the `status` of its JSON. Binary messages reach the server in base64;
 * there is no way to say them to a client.
 */
export function longPoll(endpoint: Endpoint): HttpTransport {
  const { limits, timers, count } = endpoint
  const sessions = sessionsOf(endpoint)
  const answering = new Set<ServerResponse>()
  /** Ends each poll that waits. */
  const waiting = new Set<() => void>()

  async function connect(request: IncomingMessage, response: ServerResponse, url: URL, path: string): Promise<void> {
    const authToken = singleHeader(request.headers["x-phoenix-authtoken"])
    const admission = await requestAdmission(endpoint, request, response, { path, url, authToken })
    if (response.destroyed) return
    if (admission?.ok !== true) {
      // A client knows 403, which is for good; all else it takes for a failure, and comes back.
      respond(response, { status: admission?.status === 403 ? 403 : 500 })
      return
    }
    respond(response, { messages: [], status: 410, token: sessions.open(admission) })
  }

  /** Breaks off a request whose body does not end in time: it would hold its connection for minutes. */
  function limit(request: IncomingMessage): void {
    const timer = timers.set(() => request.destroy(), limits.handshakeTimeoutMs)
    request.once("close", () => timers.clear(timer))
    if (request.method !== "POST") request.resume()
  }

  /** @param reconnect answers with a new session, should this one turn out to be gone */
  function poll(session: PolledSession, response: ServerResponse, token: string, reconnect: () => void): void {
    count("polls")
    const timer = timers.set(end, limits.longPollWindowMs)
    waiting.add(end)
    const forget = session.poll(answer)
    response.once("close", () => {
      settle()
      forget()
    })

    function settle(): void {
      timers.clear(timer)
      waiting.delete(end)
    }

    /** What comes from now on is for the next poll. */
    function end(): void {
      forget()
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
    let messages: Data[]
    try {
      messages = await readMessages(request, limits)
    } catch (error) {
      if (!(error instanceof RollcallError)) return // the client is gone in the middle of it
      count(error.code === "too_large" ? "oversized_frames" : "bad_frames")
      request.unpipe().resume()
      respond(response, { status: REFUSALS[error.code] ?? 400 })
      return
    }
    respond(response, { status: await session.post(messages) })
  }

  function respond(response: ServerResponse, body: object): void {
    if (response.destroyed) return
    // One that waits behind another answer in its connection has no socket yet, and is never told when that breaks.
    if (response.socket !== null) {
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
      limit(request)
      const url = urlOf(endpoint, request)
      const token = singleHeader(request.headers["x-phoenix-longpoll-token"]) ?? url?.searchParams.get("token") ?? null
      const session = sessions.find(token)
      if (request.method === "OPTIONS") preflight(request, response)
      else if (url === undefined || (request.method !== "GET" && request.method !== "POST")) {
        response.writeHead(400, { "access-control-allow-origin": "*", ...UNCACHED }).end()
      } else if (request.method === "POST") {
        if (session !== undefined) void post(session, request, response)
        else respond(response, { status: 410 })
      } else {
        const reconnect = (): void => void connect(request, response, url, path)
        if (session === undefined) reconnect()
        else poll(session, response, token as string, reconnect)
      }
    },

    async close() {
      for (const end of waiting) end()
      sessions.close()
      const out = Promise.all([...answering].map((response) => new Promise((done) => response.once("close", done))))
      const limit = { ms: CLOSE_GRACE_MS, timers, code: "close_timeout", expected: "the last answers to be read" }
      await withDeadline(out, limit).catch(() => undefined)
    },
  }
}

const HEADERS = {
  "access-control-allow-origin": "*",
  "cache-control": "no-store",
  "content-type": "application/json; charset=utf-8",
}

const isProxys = (header: string): boolean => /^\s*(x-)?forwarded/i.test(header)

/** Allows a page whatever headers it asks for, but not to speak for a proxy: of whom one is from, origins are judged. */
function preflight(request: IncomingMessage, response: ServerResponse): void {
  const asked = request.headers["access-control-request-headers"] ?? ""
  const headers = {
    "access-control-allow-headers": asked.split(",").some(isProxys) ? "" : asked,
    "access-control-allow-methods": "get, post, options",
    "access-control-allow-origin": "*",
    "access-control-max-age": "3600",
    ...UNCACHED,
  }
  response.writeHead(200, headers).end()
}
