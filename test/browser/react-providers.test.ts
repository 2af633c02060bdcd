/** What is React's own: providers, and renders that React throws away. In a real Chromium, against the real server. */
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { openFrameworkPage } from "./framework-page.ts"
import { bundle } from "./react/build.ts"

let browser: Browser
let script: string
beforeAll(async () => {
  ;[browser, script] = await Promise.all([startChromium(), bundle("providers.tsx")])
})
afterAll(() => browser?.close())

/** Opens a page of `providers.tsx`. */
const open = (name: string) => openFrameworkPage(browser, script, name)

test("a provider with a connection of the application never closes it, and uses it again", async () => {
  const { page, server, joins, sockets, complaints, shows } = await open("given")
  await shows("me")
  await page.click("button")
  await expect.poll(() => server.stats().channels).toBe(0)
  await page.click("button")
  await shows("me")
  expect([joins, sockets, complaints]).toEqual([["rooms:1", "rooms:1"], ["me"], []])
})

test("a provider that suspends with its components makes one socket and one join", async () => {
  const { joins, sockets, complaints, shows } = await open("suspended")
  await shows("me")
  expect([joins, sockets, complaints]).toEqual([["rooms:1"], ["me"], []])
})

test("a component whose renders are thrown away joins nothing", async () => {
  const { page, joins, complaints, shows } = await open("forgotten")
  await shows("me")
  expect(await page.innerText("#app")).toContain("waiting")
  expect([joins, complaints]).toEqual([["rooms:1"], []])
})

test("two providers with other options have connections of their own", async () => {
  const { sockets, complaints, shows } = await open("two")
  await shows("me you", "me you")
  expect([...sockets].sort()).toEqual(["me", "you"])
  expect(complaints).toEqual([])
})

test("a hook without a provider says what is missing", async () => {
  const { complaints } = await open("outside")
  await expect.poll(() => complaints.join()).toContain("expected a RollcallProvider above, got none")
})

test("a selector may return a new object each time, with an isEqual of the application", async () => {
  const { complaints, shows } = await open("unequal")
  await shows("1")
  expect(complaints).toEqual([])
})

test("an isEqual that closes over a prop or a state counts as it is in the present render", async () => {
  const { page, complaints, shows } = await open("frozen")
  await shows("me")
  expect(await page.innerText("button")).toContain("nobody")
  await page.click("button")
  await expect.poll(() => page.innerText("button")).toBe("1 of me")
  expect(complaints).toEqual([])
})
