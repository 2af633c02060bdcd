/** What is Vue's own: `KeepAlive`, stores, and components that hydrate late. In a real Chromium, against the real server. */
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { bundle, load } from "./framework-build.ts"
import { openFrameworkPage } from "./framework-page.ts"
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
  const opened = await openFrameworkPage(browser, script, name, rendered)
  return { ...opened, go: () => opened.page.evaluate("go()") }
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
