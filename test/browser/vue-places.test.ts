/** What is Vue's own: `KeepAlive`, stores, and components that hydrate late. In a real Chromium, against the real server. */
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { serve } from "../support/serve.ts"
import { bundle, load } from "./framework-build.ts"
import { config } from "./vue/config.ts"

let browser: Browser
let script: string
let program: { render(name: string): Promise<string> }
beforeAll(async () => {
  ;[browser, script, program] = await Promise.all([
    startChromium(),
    bundle("test/browser/vue/places-page.ts", config),
    load<typeof program>("test/browser/vue/places-server.ts", config),
  ])
})
afterAll(() => browser?.close())

async function open(name: string, rendered = "") {
  const joins: string[] = []
  const html = `<!doctype html><link rel="icon" href="data:,"><div id="app">${rendered}</div><script type="module" src="/page.js"></script>`
  const { server, url } = await serve<{ user: string }>(
    (server) => {
      server.socket("/socket", { connect: ({ params: { user = "" } }) => ({ user }) })
      server.channel("rooms:*", {
        join: (topic) => {
          joins.push(topic)
          return { ok: {} }
        },
        presence: ({ assigns }) => ({ key: assigns.user }),
      })
    },
    {},
    {
      request: (request, response) => {
        const isScript = request.url === "/page.js"
        response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html").end(isScript ? script : html)
      },
    },
  )
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  const complaints: string[] = []
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  await page.goto(`${url.replace("ws:", "http:")}/?${name}`)
  const shows = async (...keys: string[]): Promise<void> => {
    await expect.poll(() => page.locator(".keys").allInnerTexts()).toEqual(keys)
  }
  return { page, server, joins, complaints, shows, go: () => page.evaluate("go()") }
}

test("a component that KeepAlive keeps leaves its room while it is not shown, and joins it again", async () => {
  const { server, joins, complaints, shows, go } = await open("kept")
  await shows("me")
  await go()
  await shows()
  await expect.poll(() => server.stats().channels).toBe(0)
  await go()
  await shows("me")
  expect([joins, complaints]).toEqual([["rooms:1", "rooms:1"], []])
})

test("a component that hydrates when its room is live shows first what the server has rendered, without a warning", async () => {
  const { joins, complaints, shows, go } = await open("late", await program.render("late"))
  await shows("me", "early")
  await go()
  await shows("me", "me")
  expect([joins, complaints]).toEqual([["rooms:1"], []])
})

test("a store joins at once, and leaves when its scope is stopped", async () => {
  const { server, joins, complaints, shows, go } = await open("store")
  await shows("me")
  await go()
  await expect.poll(() => server.stats().channels).toBe(0)
  expect([joins, complaints]).toEqual([["rooms:1"], []])
})
