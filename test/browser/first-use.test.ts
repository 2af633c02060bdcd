/** The debug switch and the idle connection in a real Chromium, with the script that is published. */
import { readFile } from "node:fs/promises"
import type { Browser, Page } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { serve, type Served } from "../support/serve.ts"

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

const HTML = `<!doctype html><link rel="icon" href="data:," /><script src="/rollcall.min.js"></script><script>
  const connection = Rollcall.connect("/socket", { idleMs: 100, params: { token: "q1" } })
  const take = () => (window.room = connection.room("rooms:1", { me: { name: "Ada" } }))
</script>`

/** A server that serves the page, too, and the page in a tab. */
async function open(): Promise<{ page: Page; served: Served<Record<string, unknown>>; lines: string[] }> {
  const served = await serve(
    (server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        presence: (_channel, me) => ({ key: "ada", meta: { ...me } }),
        allow: ["name", "status"],
      })
    },
    {},
    {
      request: async ({ url }, response) => {
        response.setHeader("Content-Type", url === "/" ? "text/html" : "text/javascript")
        response.end(url === "/" ? HTML : await readFile("dist/rollcall.min.js"))
      },
    },
  )
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  const lines: string[] = []
  page.on("console", (message) => lines.push(message.text()))
  page.on("pageerror", (error) => lines.push(String(error)))
  await page.goto(served.url.replace("ws", "http"))
  return { page, served, lines }
}

test("a page that has not asked for it writes nothing; one whose storage asks for it writes what happens", async () => {
  const { page, lines } = await open()
  const view = (): Promise<number> => page.evaluate("take().ready.then(({ size }) => size)")
  expect([await view(), lines]).toEqual([1, []])
  await page.evaluate('localStorage["rollcall:debug"] = "*"')
  await page.reload()
  expect(await view()).toBe(1)
  const written = (): string => lines.join("\n")
  await expect.poll(written).toMatch(/ rooms:1 <- presence_state .*"name":"Ada"[^]* rooms:1 live$/m)
  expect(written()).toMatch(
    /^rollcall \d+ ms connects: resumed\n.* tries ws:.* WebSocket\n.* connecting\n[^]* rooms:1 -> phx_join \d+ \["me"\]\n/,
  )
  expect(written()).not.toContain("q1")
})

test("a page connects with its first room, closes the connection when no room is left, and opens it with the next", async () => {
  const { page, served, lines } = await open()
  const status = (): Promise<string> => page.evaluate("connection.status")
  expect([await status(), served.counted.get("connects") ?? 0]).toEqual(["idle", 0])
  await page.evaluate("take().ready")
  expect(await status()).toBe("open")
  await page.evaluate("room.leave()")
  await served.reached("disconnects", 1)
  await expect.poll(status).toBe("idle")
  // Neither a page that comes to the front, nor the network, opens a connection that nobody needs.
  await page.evaluate(
    'dispatchEvent(new Event("online")), dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))',
  )
  await page.evaluate('document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))')
  expect(await page.evaluate("take().ready.then(({ size }) => size)")).toBe(1)
  expect([served.counted.get("connects"), lines]).toEqual([2, []])
})
