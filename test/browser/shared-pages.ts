/** A server for tabs that share a connection, a bystander in their room, and a way to open tabs. */
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { BrowserContext, Page } from "playwright"
import { expect, onTestFinished } from "vitest"
import { connect, type Room } from "../../src/client/index.ts"
import { createServer, relay, watchKeys } from "../../src/server/index.ts"
import { memoryTransport } from "../../src/testing/index.ts"
import { bundleOf } from "./dist-bundle.ts"

/** What a page is opened with. Functions are source text. */
export interface PageOptions {
  /** The field `tab` of its meta. */
  tab?: string
  key?: string
  /** Options of `shared`. */
  options?: object
  mergeMetas?: string
  roomOptions?: object
  /**
   * Whether a former leader keeps its connection until the page's `endLinger()`, and not for 5 s, which the next one may need to connect
   * on a busy machine.
   */
  isLingering?: boolean
}

const HTML = `<!doctype html><link rel="icon" href="data:,"><script type="module">
  import { shared, connect } from "/bundle.js"
  const { tab, key = "ada", options, mergeMetas, roomOptions, isLingering } =
    JSON.parse(decodeURIComponent(location.search.slice(1)))
  let lingering = []
  window.endLinger = () => lingering.splice(0).forEach((run) => run())
  const timers = {
    now: () => performance.now(),
    set: (run, ms) => isLingering && ms === 5000 ? (lingering.push(run), run) : setTimeout(run, ms),
    clear: (timer) => (clearTimeout(timer), (lingering = lingering.filter((run) => run !== timer))),
  }
  window.problems = []
  for (const type of ["error", "unhandledrejection"])
    addEventListener(type, ({ message, reason }) => problems.push(String(message ?? reason)))
  addEventListener("pageshow", ({ persisted }) => { if (persisted) window.isRestored = true })
  window.shared = shared
  window.connection = shared("/socket", {
    timers, name: key, params: () => ({ key }), pingMs: 60_000, handOverMs: 2 ** 31 - 1, ...options, ...(mergeMetas && { mergeMetas: eval(mergeMetas) }),
  })
  window.room = connection.room("rooms:1", { me: { tab } }, { updateThrottleMs: 0, ...roomOptions })
  window.seen = []
  room.onChange((changes, cause) => changes.forEach(({ type, key }) => seen.push([type, key, cause].join(" "))))
  window.messages = []
  room.on("chat", ({ text, from }) => messages.push(text + " of " + from))
  window.users = () => room.list((key, { metas }) => key + ":" + metas.map(({ tab }) => tab))
</script>`

export const bundleOfShared = (): Promise<string> =>
  bundleOf(`export { connect } from "./dist/client/index.js"; export { shared } from "./dist/client/shared/index.js"`)

/**
 * @param graceMs that of the bystander's room; by default longer than another tab may take to connect on a busy machine
 * @param presenceGraceMs that of the server's channel
 */
export async function openShared(context: BrowserContext, script: string, graceMs = 600_000, presenceGraceMs = 0) {
  const server = createServer()
  /** The most connections of pages at a time, and how many there are now. */
  const connections = {
    most: 0,
    all: 0,
    get now(): number {
      return server.stats().connections - 1
    },
  }
  let isRefused = false
  server.socket("/socket", {
    connect({ params: { key } }) {
      if (isRefused) return false
      if (key !== "bob") {
        connections.all += 1
        connections.most = Math.max(connections.most, connections.now + 1)
      }
      return { key: String(key) }
    },
    id: ({ assigns }) => String(assigns["key"]),
  })
  const joins: unknown[] = []
  server.channel("rooms:*", {
    join: (_topic, params, { assigns }) => {
      if (assigns["key"] !== "bob") joins.push(params)
      return { ok: {} }
    },
    allow: ["tab", "mood", "away"],
    presenceGraceMs,
    on: { chat: relay(), ask: (payload) => ({ ok: { asked: payload } }) },
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
  server.channel("presence:watch", watchKeys({ may: () => true, graceMs: 0, paceMs: 0 }))
  const http = createHttpServer(({ url }, response) => {
    if (url?.startsWith("/socket")) return undefined
    if (url === "/bundle.js") return response.setHeader("content-type", "text/javascript").end(script)
    return response.setHeader("content-type", "text/html").end(url?.startsWith("/room") ? HTML : "another page")
  })
  await server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, resolve))
  const { port } = http.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const { WebSocket: transport } = memoryTransport(server)
  const bob = connect("ws://memory/socket", { transport, params: { key: "bob" } })
  const room: Room<{ tab?: string; mood?: string }> = bob.room("rooms:1", { me: { tab: "bob" } }, { graceMs })
  /** What the bystander sees of ada. */
  const seen: string[] = []
  room.onChange((changes) => {
    for (const { type, key } of changes) if (key !== "bob") seen.push(`${type} ${key}`)
  })
  await room.ready
  const pages: Page[] = []
  onTestFinished(async () => {
    for (const page of pages) if (!page.isClosed()) await page.close()
    bob.disconnect()
    http.closeAllConnections()
    http.close()
    await server.close()
  })
  return {
    server,
    url,
    port,
    room,
    seen,
    joins,
    connections,
    /** What the bystander sees of ada's metas. */
    tabsOf: (key = "ada"): (string | undefined)[] => (room.get(key)?.metas ?? []).map(({ tab }) => tab),
    refuse: () => (isRefused = true),
    async open(given: PageOptions = {}, origin = url): Promise<Page> {
      const page = await context.newPage()
      pages.push(page)
      await page.goto(`${origin}/room?${encodeURIComponent(JSON.stringify(given))}`)
      await live(page)
      return page
    },
  }
}

/** Waits until a page's room is live. Not by `waitForFunction`, which waits for a frame, and a hidden page has none. */
export const live = (page: Page): Promise<void> => expect.poll(() => page.evaluate<string>("room.status")).toBe("live")

/** Returns which of the pages leads. */
export async function leaderOf(pages: readonly Page[]): Promise<number> {
  const leads = await Promise.all(pages.map((page) => page.evaluate("connection.isLeader")))
  return leads.indexOf(true)
}
