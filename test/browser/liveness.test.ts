/** Whether "live" is true in a real Chromium: offline and online, back/forward cache, hidden tabs with slow timers. */
import { readFile } from "node:fs/promises"
import { createServer as createHttpServer, type IncomingMessage } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { Browser, Page } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { createServer } from "../../src/server/index.ts"
import type { Timers } from "../../src/timers.ts"
import { startChromium } from "../support/chromium.ts"
import { clock } from "../support/clock.ts"
import { until } from "../support/until.ts"

let browser: Browser
beforeAll(async () => {
  browser = await startChromium({ backForwardCache: true })
})
afterAll(() => browser?.close())

const HTML = `<!doctype html><link rel="icon" href="data:,"><script src="/rollcall.min.js"></script><script>
  let seen = []
  const connection = Rollcall.connect("/socket")
  const room = connection.room("rooms:1")
  room.subscribe(() => seen.push(room.status))
  addEventListener("offline", () => seen.push("after offline"))
  addEventListener("pageshow", (event) => event.persisted && seen.push("from the cache"))
  const isLive = () => room.status === "live" && room.size === 1 && room.get("ada").metas.length === 1
</script>`

/** A page in a room, on a server of its own. `sockets` are the server's sides of all WebSockets. */
async function openPage(timers?: Timers, script?: () => void) {
  const http = createHttpServer(async ({ url }, response) => {
    if (url === "/rollcall.min.js") return response.end(await readFile("dist/rollcall.min.js"))
    if (url?.startsWith("/socket")) return undefined
    return response.setHeader("content-type", "text/html").end(url === "/room" ? HTML : "another page")
  })
  const sockets: Socket[] = []
  const server = createServer(timers && { timers })
  server.socket("/socket")
  server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
  await server.attach(http)
  // Not by the event "upgrade": listeners do not get the requests of an attached server.
  const emit = http.emit.bind(http) as (event: string, ...args: unknown[]) => boolean
  http.emit = (event: string, ...args: unknown[]): boolean => {
    if (event === "upgrade") sockets.push((args[0] as IncomingMessage).socket)
    return emit(event, ...args)
  }
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const context = await browser.newContext()
  if (script) await context.addInitScript(script)
  const page = await context.newPage()
  onTestFinished(async () => {
    await context.close()
    http.closeAllConnections()
    http.close()
    await server.close()
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  await page.goto(`${url}/room`)
  await live(page)
  return { page, context, url, server, sockets }
}

const live = (page: Page): Promise<unknown> => page.waitForFunction("isLive()", undefined, { timeout: 60_000 })
const seenBy = (page: Page): Promise<string[]> => page.evaluate("seen")
const countOf = ({ server }: { server: ReturnType<typeof createServer> }, name: string): number =>
  server.stats().counters[name] ?? 0

test("offline makes a room stale in the same moment; after online it is live again", async () => {
  const { page, context } = await openPage()
  await page.evaluate("seen = []")
  await context.setOffline(true)
  await page.waitForFunction("seen.includes('after offline')")
  expect((await seenBy(page)).slice(0, 2)).toEqual(["stale", "after offline"])
  await context.setOffline(false)
  await live(page)
  expect((await seenBy(page)).at(-1)).toBe("live")
})

test("a page that comes back from the back/forward cache is live again, and is listed once", async () => {
  const all = await openPage()
  const { page, url } = all
  await page.evaluate("seen = []")
  await page.goto(`${url}/other`)
  await expect.poll(() => countOf(all, "disconnects")).toBe(1)
  await page.goBack({ waitUntil: "commit" })
  await page.waitForFunction("seen.includes('from the cache')")
  await live(page)
  expect(countOf(all, "connects")).toBe(2)
})

test("a tab whose timers fire too rarely for heartbeats stays connected, because the browser answers the server's pings", async () => {
  const timers = clock()
  const all = await openPage(timers, () => {
    const given = window.setTimeout.bind(window)
    const slow = (run: () => void, ms = 0): number => (ms < 1_000 ? given(run, ms) : 0)
    window.setTimeout = slow as typeof window.setTimeout
  })
  for (let halfMinutes = 0; halfMinutes < 10; halfMinutes += 1) {
    const before = all.sockets.map(({ bytesRead }) => bytesRead)
    timers.advance(31_000)
    await until(() => all.sockets.some(({ bytesRead }, at) => bytesRead > (before[at] ?? 0)))
  }
  expect([countOf(all, "connects"), countOf(all, "disconnects")]).toEqual([1, 0])
  expect(await all.page.evaluate("[isLive(), connection.status]")).toEqual([true, "open"])
})

test("pause closes the connection of a page, and resume makes it live again", async () => {
  const all = await openPage()
  await all.page.evaluate("connection.pause()")
  await expect.poll(() => countOf(all, "disconnects")).toBe(1)
  expect(await all.page.evaluate("[connection.status, room.status, room.reason.code, room.size]")).toEqual([
    "paused",
    "stale",
    "paused",
    1,
  ])
  await all.page.evaluate("connection.resume()")
  await live(all.page)
})
