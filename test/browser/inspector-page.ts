/** A page with an inspector in a real Chromium, and a real server beside it. */
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser, Page } from "playwright"
import { connect, type Connection } from "../../src/client/index.ts"
import { createServer } from "../../src/server/index.ts"
import { memoryTransport } from "../../src/testing/index.ts"
import { bundleOf } from "./dist-bundle.ts"

/** Returns the page's script: the published modules, bundled as an application would. */
export const bundleInspector = (): Promise<string> =>
  bundleOf(`export { connect } from "./dist/client/index.js"; export * from "./dist/inspector/index.js"`)

// No inline style is allowed, as in a page with a strict content security policy.
const HEADERS = { "content-type": "text/html", "content-security-policy": "style-src 'self'" }
const HTML = `<!doctype html><html lang="en"><head><title>Inspected</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><script type="module">
  import * as rollcall from "/bundle.js"
  Object.assign(window, rollcall)
  window.connection = connect("/socket", { params: { key: "me", token: "t-secret-1" } })
  window.join = (topic, options) => connection.room(topic, { me: { name: "Me" }, token: "t-secret-2" }, { key: "me", ...options })
  window.room = join("rooms:1")
  room.ready.then(() => (window.isReady = true))
</script></head><body><main><h1>Inspected</h1></main></body></html>`

/** A page that is inspected. */
export interface InspectedPage {
  readonly page: Page
  /** What the page has logged as an error, and what it has not caught. */
  readonly errors: string[]
  /** Connects a further user. */
  user(key: string): Connection
  close(): Promise<void>
}

export async function openInspected(browser: Browser, script: string): Promise<InspectedPage> {
  const server = createServer()
  server.socket("/socket", { connect: ({ params }) => ({ key: String(params["key"]) }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    allow: ["name", "status", "email", "n"],
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
  const http = createHttpServer(({ url }, response) => {
    if (url?.startsWith("/socket")) return undefined
    if (url === "/bundle.js") return response.setHeader("content-type", "text/javascript").end(script)
    return response.writeHead(200, HEADERS).end(HTML)
  })
  await server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  const errors: string[] = []
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()))
  page.on("pageerror", (error) => errors.push(String(error)))
  await page.goto(`http://127.0.0.1:${(http.address() as AddressInfo).port}/`)
  await page.waitForFunction("window.isReady")
  const { WebSocket } = memoryTransport(server)
  const users: Connection[] = []
  return {
    page,
    errors,
    user(key) {
      const connection = connect("ws://memory/socket", { transport: WebSocket, params: { key } })
      users.push(connection)
      return connection
    },
    async close() {
      await page.close()
      for (const user of users) user.disconnect()
      http.closeAllConnections()
      http.close()
      await server.close()
    },
  }
}
