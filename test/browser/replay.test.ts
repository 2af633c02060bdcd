/** What a page has recorded in Chromium, over each transport, is replayed in Node: the views are those that the page has shown. */
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { connect } from "../../src/client/index.ts"
import { createServer } from "../../src/server/index.ts"
import { memoryTransport, replay } from "../../src/testing/index.ts"
import { startChromium } from "../support/chromium.ts"
import { bundleOf } from "./dist-bundle.ts"

let browser: Browser
let script: string
beforeAll(async () => {
  script = await bundleOf(
    `export { connect, LongPoll } from "./dist/client/index.js"; export { record } from "./dist/testing/index.js"`,
  )
  browser = await startChromium()
})
afterAll(() => browser?.close())

const HTML = `<!doctype html><link rel="icon" href="data:,"><script type="module">
  import { connect, LongPoll, record } from "/bundle.js"
  const transport = location.hash === "#longpoll" ? LongPoll : undefined
  window.connection = connect("/socket", { params: { key: "me", token: "t-1" }, ...(transport && { transport }) })
  window.recording = record(connection)
  window.room = connection.room("rooms:1", { me: { name: "Me" } })
  window.seen = []
  window.view = () => JSON.stringify([room.status, room.list()])
  connection.socket.onMessage(() => seen.push([recording.size, view()]))
</script>`

test.for(["websocket", "longpoll"])("over %s, with a loss of the connection in between", async (transport) => {
  const server = createServer()
  server.socket("/socket", { connect: ({ params }) => ({ key: String(params["key"]) }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    allow: ["name"],
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
  const http = createHttpServer(({ url }, response) => {
    if (url?.startsWith("/socket")) return undefined
    if (url === "/bundle.js") return response.setHeader("content-type", "text/javascript").end(script)
    return response.setHeader("content-type", "text/html").end(HTML)
  })
  await server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const page = await browser.newPage()
  const { WebSocket } = memoryTransport(server)
  const other = connect("ws://memory/socket", { transport: WebSocket, params: { key: "ada" } })
  onTestFinished(async () => {
    await page.close()
    other.disconnect()
    http.closeAllConnections()
    http.close()
    await server.close()
  })
  const ada = other.room<{ name: string }>("rooms:1", { me: { name: "Ada" } }, { updateThrottleMs: 0 })
  await ada.ready
  await page.goto(`http://127.0.0.1:${(http.address() as AddressInfo).port}/#${transport}`)
  const shows = (name: string): Promise<unknown> =>
    page.waitForFunction(`room.status === "live" && room.get("ada").metas[0].name === "${name}"`)
  await shows("Ada")
  await ada.update({ name: "Ada L." })
  await shows("Ada L.")
  await page.evaluate("connection.pause()")
  await ada.update({ name: "Ada Lovelace" })
  await page.evaluate("connection.resume()")
  await shows("Ada Lovelace")

  // In one call: a message that came between two of them would be seen, but not recorded.
  const [text, seen] =
    await page.evaluate<[text: string, seen: [entries: number, view: string][]]>("[recording.text(), seen]")
  expect(text).not.toContain("t-1")
  const player = replay(text)
  onTestFinished(() => player.connection.disconnect())
  const room = player.connection.room<{ name: string }>("rooms:1", { me: { name: "Me" } })
  for (const [entries, view] of seen) {
    while (player.position < entries) player.step()
    expect(JSON.stringify([room.status, room.list()])).toBe(view)
  }
  expect(room.get("ada")?.metas[0].name).toBe("Ada Lovelace")
})
