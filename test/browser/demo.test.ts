import type { Browser, BrowserContext, Page } from "playwright"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { startDemoServer } from "../support/demo-server.ts"
import type { DemoServer } from "../support/demo-server.ts"

// Real pages in a real Chromium, against the demo's server in a process of its own.
let browser: Browser
let server: DemoServer
let contexts: BrowserContext[] = []
let rooms = 0

beforeAll(async () => {
  ;[browser, server] = await Promise.all([startChromium(), startDemoServer()])
})
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()))
  contexts = []
})
afterAll(async () => {
  await browser?.close()
  await server?.kill()
})

/** A person with a browser of their own: the pages that they open share its storage, as tabs do. */
async function person(name: string, room: string): Promise<{ open(path?: string): Promise<Page> }> {
  const context = await browser.newContext()
  contexts.push(context)
  return {
    async open(path = "/") {
      const page = await context.newPage()
      await page.goto(`${server.url}${path}?room=${room}`)
      await page.fill("#name", name)
      await page.click("text=Come in")
      await page.waitForSelector("#people li")
      return page
    },
  }
}

const newRoom = (): string => `test-${(rooms += 1)}`

/** Waits until a page shows exactly these people, each as it is named there. */
async function sees(page: Page, ...people: string[]): Promise<void> {
  const shown = (): Promise<string[]> => page.locator("#people .name").allInnerTexts()
  await expect.poll(shown, { timeout: 15_000 }).toEqual(people)
}

const is = (page: Page, status: string): Promise<unknown> => page.waitForSelector(`#dot[data-is=${status}]`)

test("two pages, one by script tag and one from modules, see each other, and one that closes is gone from the other", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open("/")
  const grace = await (await person("Grace", room)).open("/modules.html")
  await sees(ada, "Ada you", "Grace")
  await sees(grace, "Ada", "Grace you")
  await grace.close()
  await sees(ada, "Ada you")
})

test("three tabs of one user are one user with three devices", async () => {
  const room = newRoom()
  const ada = await person("Ada", room)
  const grace = await (await person("Grace", room)).open()
  const tabs = [await ada.open(), await ada.open("/modules.html"), await ada.open()]
  await sees(grace, "Grace you", "Ada (3)")
  expect(await grace.innerText("#count")).toBe("2 people are here")
  await tabs[1]?.close()
  await sees(grace, "Grace you", "Ada (2)")
})

test("a status that one page sets is shown on the other, as one change and not as leaving and joining", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await grace.check("[name=status][value=busy]")
  await ada.waitForSelector("#people li:nth-child(2) .dot[data-is=busy]")
  expect(await ada.locator("#feed li span").allInnerTexts()).toEqual(["Grace is busy", "Grace joined", "Ada joined"])
})

test("a page whose line is cut keeps its view, marked as old, and heals by itself", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await sees(grace, "Ada", "Grace you")
  await grace.click("#cut")
  await is(grace, "stale")
  await sees(grace, "Ada", "Grace you")
  await sees(ada, "Ada you")
  await is(grace, "live")
  await sees(grace, "Ada", "Grace you")
  await sees(ada, "Ada you", "Grace")
})

test("the server is killed and started again, and both pages heal by themselves", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open("/modules.html")
  await sees(ada, "Ada you", "Grace")
  await server.kill()
  await Promise.all([is(ada, "stale"), is(grace, "stale")])
  await server.start()
  await Promise.all([is(ada, "live"), is(grace, "live")])
  for (const page of [ada, grace]) {
    await expect.poll(() => page.innerText("#count"), { timeout: 15_000 }).toBe("2 people are here")
  }
})

test("the page is usable without a mouse and says its state to a screen reader", async () => {
  const context = await browser.newContext()
  contexts.push(context)
  const page = await context.newPage()
  await page.goto(`${server.url}/?room=${newRoom()}`)
  await page.keyboard.type("Ada")
  await page.keyboard.press("Enter")
  await page.waitForSelector("#people li")
  expect(await page.getByRole("status").innerText()).toBe("Live")
  await page.getByRole("radio", { name: "available" }).focus()
  await page.keyboard.press("ArrowRight")
  await page.waitForSelector("#people .dot[data-is=away]")
  expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("1 person is here")
  expect(await page.getByRole("group", { name: "You are" }).count()).toBe(1)
})

test("nothing on the page moves when a person comes or the line is cut", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const places = (): Promise<unknown> =>
    ada.evaluate(() =>
      Array.from(document.querySelectorAll(".card, .line"), (card) => card.getBoundingClientRect().toJSON()),
    )
  const before = await places()
  const grace = await (await person("Grace", room)).open()
  await sees(ada, "Ada you", "Grace")
  expect(await places()).toEqual(before)
  await ada.click("#cut")
  await is(ada, "stale")
  expect(await places()).toEqual(before)
  await grace.close()
})
