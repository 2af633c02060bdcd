/** Pages in a real Chromium that have no storage: sandboxed ones, whose `sessionStorage` throws. */
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, test, onTestFinished } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { startProxy } from "../support/proxy.ts"
import { serve } from "../support/serve.ts"

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

test.each(["pass", "cut"] as const)(
  "a sandboxed page joins a room, over a proxy that lets WebSockets %s",
  async (webSockets) => {
    const { url } = await serve((server) => {
      server.socket("/socket", { origins: false, connect: ({ authToken }) => (authToken === "t" ? {} : false) })
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
    })
    const proxy = await startProxy(url)
    proxy.webSockets = webSockets
    const html = `<!doctype html><script src="/rollcall.min.js"></script><script>
    try { sessionStorage; document.title = "has storage" } catch {
      const connection = Rollcall.connect("${proxy.url}/socket", {
        longPollFallbackMs: ${webSockets === "cut" ? 5_000 : 60_000},
        authToken: async () => "t",
        params: { user: { id: 7 } },
      })
      const room = connection.room("rooms:1")
      room.subscribe(() => (document.title = room.status + " " + room.list((key) => key)))
    }
  </script>`
    const pages = createServer(async ({ url: path }, response) => {
      if (path === "/rollcall.min.js") return response.end(await readFile("dist/rollcall.min.js"))
      response.setHeader("Content-Type", "text/html")
      response.setHeader("Content-Security-Policy", "sandbox allow-scripts")
      return response.end(html)
    })
    await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve))
    const page = await browser.newPage()
    onTestFinished(async () => {
      await page.close()
      pages.close()
    })
    const uncaught: unknown[] = []
    page.on("pageerror", (error) => uncaught.push(error))
    await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`)
    await page.waitForFunction(() => document.title === "live ada")
    expect(uncaught).toEqual([])
    expect(proxy.polls > 0).toBe(webSockets === "cut")
  },
)
