/** What a page shows of another tab that is reloaded, and of one that is closed, in a real Chromium. */
import { readFile } from "node:fs/promises"
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { createServer } from "../../src/server/index.ts"
import { startChromium } from "../support/chromium.ts"

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

/** A page with two rooms of one topic, on two connections: one that holds leaves, and one that does not. */
const HTML = `<!doctype html><script src="/rollcall.min.js"></script><script>
  const enter = (options) => {
    const params = { name: location.search.slice(1) }
    const room = Rollcall.connect("/socket", { params }).room("rooms:1", {}, options)
    const seen = []
    room.onChange((changes, cause) => {
      if (cause !== "initial") seen.push(...changes.map(({ type, key }) => type + " " + key))
    })
    return { room, seen, refOf: (key) => room.get(key)?.metas[0].phx_ref }
  }
  const held = enter({ graceMs: 600_000, keepLeftMs: 600_000 })
  const plain = location.search === "?ada" && enter({ keepLeftMs: 600_000 })
</script>`

test("a tab that is reloaded does not flicker in another page, and a closed one is shown as left", async () => {
  const http = createHttpServer(async ({ url }, response) => {
    if (url === "/rollcall.min.js") return response.end(await readFile("dist/rollcall.min.js"))
    if (url?.startsWith("/socket")) return undefined
    return response.setHeader("content-type", "text/html").end(HTML)
  })
  const server = createServer<{ name: string }>()
  server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
  server.channel("rooms:*", { join: () => ({ ok: {} }), presence: ({ assigns }) => ({ key: assigns.name }) })
  await server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const context = await browser.newContext()
  onTestFinished(async () => {
    await context.close()
    http.closeAllConnections()
    http.close()
    await server.close()
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const [ada, bob] = [await context.newPage(), await context.newPage()]
  await ada.goto(`${url}/?ada`)
  await bob.goto(`${url}/?bob`)
  await ada.waitForFunction("held.refOf('bob') && plain.refOf('bob')")
  const before = await ada.evaluate("held.seen.length = plain.seen.length = 0, held.refOf('bob')")
  await bob.reload()
  await ada.waitForFunction(`[held, plain].every(({ refOf }) => ![undefined, "${before}"].includes(refOf("bob")))`)
  expect(await ada.evaluate("[held.seen, plain.seen]")).toEqual([[], ["leave bob", "join bob"]])
  await bob.close()
  await ada.waitForFunction("plain.room.get('bob').leftAt")
  expect(await ada.evaluate("[held.room.size, plain.room.size, held.room.get('bob').leftAt]")).toEqual([
    2,
    1,
    undefined,
  ])
  expect(await ada.evaluate("Number.isInteger(plain.room.get('bob').leftAt)")).toBe(true)
})
