import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { RollcallError } from "../../error.ts"
import type { Data } from "../../wire/message.ts"
import type { Endpoint } from "../transport.ts"
import { within } from "../within.ts"
import { IdleWheel } from "./idle.ts"
import { readMessages } from "./longpoll-body.ts"
import { LongPollSession } from "./longpoll-session.ts"
import { knock, mountOf, urlOf } from "./request.ts"
import { sessionTokens } from "./session-token.ts"
import type { Transport } from "./transport.ts"

/** A session that is not polled for that many windows is over: its client has had time to ask again. */
const WINDOWS_TO_LIVE = 1.5

/** How long a client may take to read its last answer, in ms. */
const CLOSE_GRACE_MS = 1_000

/** What is wrong with a posted body → the status that the client is told. */
const REFUSALS: Readonly<Record<string, number>> = { too_large: 413, bad_body: 400 }

/**
 * The long-poll transport, at `<path>/longpoll` (protocol rules 21–24).
 *
 * Every answer is HTTP 200; what happened is in the `status` of its JSON. Binary messages reach the server in base64;
 * there is no way to say them to a client.
 */
export function longPoll(endpoint: Endpoint): Transport {
  const { limits, timers, count } = endpoint
  const tokens = sessionTokens(endpoint.secret, endpoint.node)
  const sessions = new Map<string, LongPollSession>()
  const answering = new Set<ServerResponse>()
  const idle = new IdleWheel<LongPollSession>(timers, limits.longPollWindowMs * WINDOWS_TO_LIVE, (session) => {
    count("idle_timeouts")
    session.expire()
  })

  /** Who holds the session that a token names. A session of another node is not to be had here. */
  function owner(token: string | null): LongPollSession | undefined {
    const name = token === null ? undefined : tokens.read(token)
    return name?.node === endpoint.node ? sessions.get(name.session) : undefined
  }

  async function connect(request: IncomingMessage, response: ServerResponse, url: URL, path: string): Promise<void> {
    const authToken = single(request.headers["x-phoenix-authtoken"])
    const admission = await knock(endpoint, request, response, { path, url, authToken })
    if (response.destroyed) return
    if (admission?.ok !== true) {
      // A client knows 403, which is for good; all else it takes for a failure, and comes back.
      respond(response, { status: admission?.status === 403 ? 403 : 500 })
      return
    }
    const session = new LongPollSession(endpoint, randomBytes(16).toString("base64url"), (ended) => {
      sessions.delete(ended.id)
      idle.forget(ended)
    })
    sessions.set(session.id, session)
    idle.touch(session)
    session.open(admission.open(session))
    respond(response, { messages: [], status: 410, token: tokens.issue(session.id) })
  }

  /** Breaks off a request whose body does not end in time: it would hold its connection for minutes. */
  function limit(request: IncomingMessage): void {
    const timer = timers.set(() => request.destroy(), limits.handshakeTimeoutMs)
    request.once("close", () => timers.clear(timer))
    if (request.method !== "POST") request.resume()
  }

  function poll(session: LongPollSession, response: ServerResponse, token: string): void {
    count("polls")
    idle.touch(session)
    const timer = timers.set(() => answer(204, []), limits.longPollWindowMs)
    const forget = session.poll(answer)
    response.once("close", () => {
      timers.clear(timer)
      forget()
    })

    function answer(status: 200 | 204, messages: readonly string[]): void {
      if (!response.writableEnded) respond(response, { messages, status, token })
    }
  }

  async function post(session: LongPollSession, request: IncomingMessage, response: ServerResponse): Promise<void> {
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
    for (const message of messages) session.receive(message)
    // What the socket ends by is a frame that it could not read; a client takes that status for a failure, too.
    respond(response, { status: session.ended ? 408 : 200 })
  }

  function respond(response: ServerResponse, body: object): void {
    if (response.destroyed) return
    // One that waits behind another answer in its connection has no socket yet, and is never told when that breaks.
    if (response.socket !== null) {
      answering.add(response)
      response.once("close", () => answering.delete(response))
    }
    response.writeHead(200, { ...HEADERS, "content-type": "application/json; charset=utf-8" })
    response.end(JSON.stringify(body))
  }

  return {
    name: "longpoll",

    request(request, response) {
      limit(request)
      const url = urlOf(endpoint, request)
      const path = mountOf(endpoint, request, "longpoll")
      const token = single(request.headers["x-phoenix-longpoll-token"]) ?? url?.searchParams.get("token") ?? null
      const session = owner(token)
      if (request.method === "OPTIONS") preflight(request, response)
      else if (url === undefined || path === undefined || (request.method !== "GET" && request.method !== "POST")) {
        response.writeHead(400, { "access-control-allow-origin": "*" }).end()
      } else if (request.method === "POST") {
        if (session !== undefined) void post(session, request, response)
        else respond(response, { status: 410 })
      } else if (session === undefined) void connect(request, response, url, path)
      else poll(session, response, token as string)
    },

    async close() {
      idle.stop()
      for (const session of sessions.values()) session.expire()
      const out = Promise.all([...answering].map((response) => new Promise((done) => response.once("close", done))))
      const limit = { ms: CLOSE_GRACE_MS, timers, code: "close_timeout", expected: "the last answers to be read" }
      await within(out, limit).catch(() => undefined)
    },
  }
}

const HEADERS = { "access-control-allow-origin": "*", "cache-control": "no-store" }

function preflight(request: IncomingMessage, response: ServerResponse): void {
  const headers = {
    "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "",
    "access-control-allow-methods": "get, post, options",
    "access-control-allow-origin": "*",
    "access-control-max-age": "3600",
  }
  response.writeHead(200, headers).end()
}

const single = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header[0] : header
