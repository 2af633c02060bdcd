/** A React application in a real Chromium without a server, driven by the fake connection. */
import type { Browser, Page } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import type { FakeConnection } from "../../src/testing/index.ts"
import { startChromium } from "../support/chromium.ts"
import { bundle } from "./react/build.ts"

declare const fake: FakeConnection

let browser: Browser
let script: string
beforeAll(async () => {
  ;[browser, script] = await Promise.all([startChromium(), bundle("fake-page.tsx")])
})
afterAll(() => browser?.close())

/** A page whose every request to a network would fail the test. */
async function open(): Promise<{ page: Page; shows(what: "status" | "names", text: string): Promise<unknown> }> {
  const page = await browser.newPage()
  const requests: string[] = []
  page.on("request", (request) => requests.push(request.url()))
  page.on("websocket", (socket) => requests.push(socket.url()))
  const errors: string[] = []
  page.on("pageerror", (error) => errors.push(String(error)))
  await page.setContent(`<div id="app"></div>`)
  await page.addScriptTag({ content: script, type: "module" })
  onTestFinished(async () => {
    expect([requests, errors]).toEqual([[], []])
    await page.close()
  })
  return {
    page,
    shows: (id, text) => page.waitForFunction(`document.getElementById("${id}").textContent === "${text}"`),
  }
}

test("a component shows what the test makes happen, and sends what the test can read", async () => {
  const { page, shows } = await open()
  await shows("status", "live")
  await page.evaluate(() => fake.topic("rooms:1").join("ada", { name: "Ada" }))
  await shows("names", "Ada here")
  await page.evaluate(() => fake.topic("rooms:1").update("ada", { status: "away" }))
  await shows("names", "Ada away")
  await page.evaluate(() => fake.topic("rooms:1").send("chat", { text: "hi", from: "ada" }))
  await page.waitForFunction("document.title === 'hi'")
  await page.click("button")
  await expect.poll(() => page.evaluate(() => fake.topic("rooms:1").updates)).toEqual([{ status: "busy" }])
  // StrictMode mounts each component twice, which is one join.
  expect(await page.evaluate(() => fake.topic("rooms:1").joins)).toEqual([{ me: { name: "Me" } }])
  await page.evaluate(() => fake.cut())
  await shows("status", "stale")
  await shows("names", "Ada away")
  await page.evaluate(() => fake.restore())
  await shows("status", "live")
  await page.evaluate(() => fake.topic("rooms:1").leave("ada"))
  await shows("names", "")
  await page.evaluate(() => fake.topic("rooms:1").close())
  await shows("status", "closed")
})
