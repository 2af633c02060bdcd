import { createServer as createHttpServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createServer, RollcallError } from "../../src/server/index.ts"
import type { Channel, ChannelHandlers, Reply, Server, ServerOptions } from "../../src/server/index.ts"
import { systemTimers } from "../../src/timers.ts"
import { Inbox } from "./inbox.ts"
import { watchRequests } from "./watch-requests.ts"

/** The assigns that `connect` returns. */
interface User extends Record<string, unknown> {
  userId?: string
  /** The presence key of a channel. */
  key?: string
}

/** The app behind the recorded traffic, on our server. fixtures/phoenix-wire contains the answers of Phoenix. */
export interface PhoenixApp {
  readonly server: Server<User>
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** The HTTP requests that have reached the server, upgrades not among them. */
  readonly requests: Inbox<string>
  close(): Promise<void>
}

const quiet = { warn: () => undefined, error: () => undefined }

export async function phoenixApp(options: ServerOptions = {}): Promise<PhoenixApp> {
  const server = createServer<User>({ logger: quiet, ...options })
  const timers = options.timers ?? systemTimers

  server.socket("/socket", {
    origins: false,
    connect({ params, authToken }) {
      if (params["token"] === "bad" || authToken === "bad") return false
      if (params["token"] === "denied") return { error: { reason: "denied" } }
      return { userId: params["user_id"] } as User
    },
    id: ({ assigns: { userId } }) => (userId === undefined ? undefined : `user:${userId}`),
  })

  const handlers: ChannelHandlers<User> = {
    join(_topic, params, channel) {
      const { deny, raise, hang_ms: hangMs, join_reply: reply = {}, user_id: userId, meta } = params
      if (deny === true) return { error: { reason: "unauthorized" } }
      if (raise === true) throw new Error("raised")
      channel.assigns.key = (userId as string | undefined) ?? channel.assigns.userId ?? "anonymous"
      channel.assigns["meta"] = meta
      const answer = { ok: reply }
      if (typeof hangMs !== "number") return answer
      return new Promise((resolve) => timers.set(() => resolve(answer), hangMs))
    },
    on: events(server, timers),
  }
  server.channel("notrack:*", handlers)
  server.channel("room:*", {
    ...handlers,
    joined(channel) {
      const onlineAt = String(Math.floor(Date.now() / 1000))
      server.presence.track(channel, keyOf(channel), { online_at: onlineAt, ...(channel.assigns["meta"] as object) })
      channel.push("presence_state", server.presence.list(channel.topic))
    },
  })

  const http = createHttpServer((request, response) => admin(server, request, response))
  await server.attach(http)
  const requests = new Inbox<string>("requests that reached the server")
  watchRequests(http, ({ method, url }) => requests.put(`${method} ${url}`))
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  return {
    server,
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests,
    async close() {
      await server.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

function events(server: Server<User>, timers: typeof systemTimers): NonNullable<ChannelHandlers<User>["on"]> {
  const { presence } = server
  const stopWith = (payload: unknown, channel: Channel<User>): Reply => {
    channel.stop()
    return { ok: payload }
  }
  return {
    echo: (payload) => ({ ok: payload }),
    echo_error: (payload) => ({ error: payload }),
    ok_bare: () => ({ ok: undefined }),
    error_bare: () => ({ error: undefined }),
    custom_status: (payload) => ({ status: "accepted", response: payload }),
    late_reply(payload: unknown, channel) {
      const reply = channel.replyTo()
      timers.set(() => reply({ ok: payload }), (payload as { ms: number }).ms)
    },
    push_me: (payload, channel) => channel.push("pushed", payload),
    shout: (payload, channel) => channel.broadcast("shout", payload),
    shout_from: (payload, channel) => channel.broadcastFrom("shout_from", payload),
    binary(payload, channel) {
      channel.broadcast("bin", bytes(payload))
      return { ok: payload }
    },
    binary_push: (payload, channel) => channel.push("bin_push", bytes(payload)),
    update(payload: unknown, channel) {
      const { meta, key, merge } = payload as { meta: object; key?: string; merge?: boolean }
      const change = merge === true ? (current: object) => ({ ...current, ...meta }) : meta
      return replyOf(() => presence.update(channel, key ?? keyOf(channel), change))
    },
    track(payload: unknown, channel) {
      const { meta = {}, key } = payload as { meta?: object; key?: string }
      return replyOf(() => presence.track(channel, key ?? keyOf(channel), meta), channel, key ?? keyOf(channel))
    },
    untrack(payload: unknown, channel) {
      presence.untrack(channel, (payload as { key?: string }).key ?? keyOf(channel))
      return { ok: {} }
    },
    list: (_payload, channel) => ({ ok: presence.list(channel.topic) }),
    crash() {
      throw new Error("crashed")
    },
    stop: stopWith,
    stop_shutdown: stopWith,
    stop_shutdown_tuple: stopWith,
    stop_noreply: (_payload, channel) => channel.stop(),
    stop_error() {
      throw new Error("some_error")
    },
    noreply: () => undefined,
  }
}

/** Returns the reply to a presence operation. Refusals have the words of the recorded app. */
function replyOf(operation: () => string, channel?: Channel<User>, key?: unknown): Reply {
  try {
    return { ok: { phx_ref: operation() } }
  } catch (error) {
    if (!(error instanceof RollcallError)) throw error
    if (error.code === "not_tracked") return { error: { reason: ":nopresence" } }
    if (error.code !== "already_tracked") throw error
    return { error: { reason: `{:already_tracked, #PID<0.1.0>, "${channel?.topic}", "${key}"}` } }
  }
}

const keyOf = (channel: Channel<User>): string => channel.assigns.key ?? "anonymous"

function bytes(payload: unknown): Uint8Array {
  if (!(payload instanceof Uint8Array)) throw new TypeError("expected bytes")
  return payload
}

function admin(server: Server<User>, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams: params } = new URL(request.url ?? "/", "http://localhost")
  response.setHeader("cache-control", "max-age=0, private, must-revalidate")
  if (pathname === "/admin/kick") {
    server.disconnect(`user:${params.get("user_id")}`)
    response.end(`kicked ${params.get("user_id")}`)
  } else if (pathname === "/admin/broadcast") {
    for (let i = 1; i <= Number(params.get("n") ?? 1); i += 1) {
      server.broadcast(params.get("topic") ?? "", params.get("event") ?? "", { i })
    }
    response.end("sent")
  } else {
    response.writeHead(404).end("not found")
  }
}
