/** The cluster page in a real Chromium, from static files below a folder: whole servers and clients in one page. */
import { createServer } from "node:http"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright"
import sirv from "sirv"
import { afterAll, afterEach, beforeAll, expect, test } from "vitest"
import { SCENES } from "../../demo/cluster/scenes.ts"
import { axeViolations } from "../support/axe.ts"
import { startChromium } from "../support/chromium.ts"

const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 900 } }
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true }

let browser: Browser
let server: Server
let url: string
let contexts: BrowserContext[] = []
let problems: string[] = []

beforeAll(async () => {
  browser = await startChromium()
  const files = sirv("demo", { dev: true })
  server = createServer((request, response) => {
    // Below a folder, as on a site of documentation.
    request.url = request.url?.replace("/guide/demo", "") ?? "/"
    files(request, response, () => void response.writeHead(404).end())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/guide/demo/cluster.html`
})
afterAll(async () => {
  await browser?.close()
  server?.close()
})
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()))
  contexts = []
  expect(problems.splice(0)).toEqual([])
})

async function open(hash: string, options: BrowserContextOptions = DESKTOP): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options })
  contexts.push(context)
  const page = await context.newPage()
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()))
  page.on("pageerror", ({ message }) => problems.push(message))
  page.on("response", (response) => response.status() >= 400 && problems.push(`${response.status()} ${response.url()}`))
  await page.goto(url + hash)
  await page.waitForSelector("#cluster:not([aria-busy])")
  return page
}

const press = (page: Page, name: string): Promise<void> => page.getByRole("button", { name, exact: true }).click()
const peopleOf = (page: Page, node: string): Promise<string[]> =>
  page.locator(`[data-node=${node}] .name`).allInnerTexts()
const widthLeft = (page: Page): Promise<number> =>
  page.evaluate(() => innerWidth - document.documentElement.scrollWidth)

test.each([
  ["a desktop", DESKTOP, "phoenix"],
  ["a phone in the dark", PHONE, "discard"],
] as const)("a scene is played to its end by keyboard, on %s", async (_, options, id) => {
  const scene = SCENES.find((scene) => scene.id === id)!
  const page = await open(`#scene=${id}`, options)
  await page.locator("#next").focus()
  for (const [index, { say }] of scene.steps.entries()) {
    await page.keyboard.press("Enter")
    await page.waitForFunction((step) => location.hash.endsWith(`step=${step}`), index + 1)
    await expect.poll(() => page.textContent("#saying")).toBe(say)
  }
  await expect.poll(() => page.innerText("#claim")).toBe(`✓ ${scene.claim}`)
  expect(await page.getAttribute("#now", "data-agrees")).toBe("true")
  const phoenix = await page.locator(".beside:visible strong").allInnerTexts()
  expect(phoenix).toEqual(id === "phoenix" ? ["Ada", "Ada, Ben", "Ada"] : [])
  expect(await widthLeft(page)).toBe(0)
  expect(await axeViolations(page)).toEqual([])
  // The button leads to the next scene.
  await page.keyboard.press("Enter")
  await expect.poll(() => page.innerText("#scene-title")).toBe(SCENES[SCENES.indexOf(scene) + 1]!.title)
})

test("people are rows with a round avatar: the page has all the rules that it needs, without those of the room", async () => {
  const page = await open("#seed=11")
  await press(page, "Add somebody to node1")
  const styleOf = (selector: string) =>
    page.locator(`[data-node=node1] ${selector}`).evaluate((element) => {
      const { display, listStyleType, borderRadius } = getComputedStyle(element)
      return { display, listStyleType, borderRadius }
    })
  expect(await styleOf(".person")).toMatchObject({ display: "grid", listStyleType: "none" })
  expect(await styleOf(".avatar")).toMatchObject({ display: "grid", borderRadius: "50%" })
})

test("a visitor adds people, cuts the network and crashes a node; the link shows another visitor the same", async () => {
  const page = await open("#seed=11")
  await press(page, "Add somebody to node1")
  await press(page, "Add somebody to node3")
  await expect
    .poll(() => page.innerText("#agreement"))
    .toBe("Not yet: node1 does not know Ben; node2 does not know Ada and Ben; node3 does not know Ada.")
  for (let count = 0; (await page.getAttribute("#now", "data-agrees")) !== "true" && count < 20; count += 1) {
    const before = await page.innerText("#clock")
    await press(page, "Next message")
    await expect.poll(() => page.innerText("#clock")).not.toBe(before)
  }
  expect(await page.innerText("#agreement")).toBe("All 3 nodes agree: Ada and Ben are here.")
  await press(page, "Cut off node3")
  await press(page, "Ben goes away")
  await press(page, "Crash node2")
  await expect.poll(() => page.innerText("[data-node=node2] .state")).toBe("crashed")
  await page.getByLabel("Lost").fill("50")
  await expect.poll(() => page.evaluate(() => location.hash)).toContain("loss:50")
  await press(page, "Start node2 again")
  await expect.poll(() => page.innerText("[data-node=node2] .state")).toBe("runs")
  for (const details of await page.locator(".received summary").all()) await details.click()
  expect(await page.locator("[data-node=node2] .received-lines").first().innerText()).toContain("+ Ada joined")

  const other = await open(await page.evaluate(() => location.hash))
  for (const details of await other.locator(".received summary").all()) await details.click()
  const look = (page: Page): Promise<string[]> =>
    page.locator("#clock, #agreement, #nodes, #feed, .value-of").allInnerTexts()
  await expect.poll(() => look(other)).toEqual(await look(page))
})

test("a message under way can be opened, and lost by hand", async () => {
  const page = await open("#seed=3&do=add:node1:Ada;wait:60")
  await page.locator("#messages button").first().press("Enter")
  const detail = page.getByRole("region", { name: "The chosen message" })
  expect(await detail.innerText()).toContain("It carries change 1 of node1. Still here: Ada {node1, 1}.")
  expect(await axeViolations(page)).toEqual([])
  await press(page, "Lose it")
  await expect.poll(() => page.innerText("#happened")).toBe("The news (+Ada) from node1 to node2 was lost.")
  await expect.poll(() => page.locator("#messages li[data-state=lost]").count()).toBe(1)
  // The others arrive, and node2 asks for what it lacks.
  await page.getByLabel("Speed").selectOption("4")
  await press(page, "Let time run")
  await expect.poll(() => peopleOf(page, "node2")).toEqual(["Ada"])
  await expect.poll(() => page.innerText("#agreement")).toBe("All 3 nodes agree: Ada is here.")
  await press(page, "Stop time")
})

test("with motion, messages fly between the nodes, and a step ends by itself", async () => {
  const page = await open("#scene=shared&step=1", { ...DESKTOP, reducedMotion: "no-preference" })
  // A message flies for less than a second, which a look from outside may miss on a busy machine.
  await page.evaluate(() => {
    const hasFlown = new Promise<void>((flown) => {
      new MutationObserver(() => document.querySelector(".picture .pill-news") && flown()).observe(
        document.querySelector(".picture")!,
        { childList: true, subtree: true },
      )
    })
    Object.assign(window, { hasFlown })
  })
  await press(page, "Next step")
  await page.evaluate(() => (window as unknown as { hasFlown: Promise<void> }).hasFlown)
  await page.waitForFunction(() => location.hash.endsWith("step=2"))
  await expect.poll(() => page.innerText("#agreement")).toBe("All 3 nodes agree: Ada, Ben and Cleo are here.")
})

test("a link that is broken says why, and the first scene is shown", async () => {
  const page = await open("#seed=1&do=dance")
  expect(await page.innerText("#note")).toContain('got "dance"')
  expect(await page.innerText("#scene-title")).toBe(SCENES[0]!.title)
  // A link to another scene, as in the list of scenes.
  await page.getByRole("link", { name: SCENES[1]!.title }).click()
  await expect.poll(() => page.innerText("#scene-title")).toBe(SCENES[1]!.title)
  expect(await page.innerText("#note")).toBe("")
})

test("the browser's way back leads to the scene before", async () => {
  const page = await open("#scene=clocks")
  await page.getByRole("link", { name: SCENES[0]!.title }).click()
  await expect.poll(() => page.innerText("#scene-title")).toBe(SCENES[0]!.title)
  await page.goBack()
  await expect.poll(() => page.innerText("#scene-title")).toBe(SCENES.find(({ id }) => id === "clocks")!.title)
})

test.each([
  ["a wait of days", `wait:3600000;wait:3600000`, "at most 3600000 ms together"],
  ["more actions than it should repeat", Array(5_001).fill("heal").join(";"), "at most 5000 actions"],
  ["a name that is not encoded", "add:node1:%FF", 'got "add:node1:%FF"'],
])("a link with %s is refused, and the first scene is shown", async (_, actions, message) => {
  const page = await open(`#seed=1&do=${actions}`)
  expect(await page.innerText("#note")).toContain(message)
  expect(await page.innerText("#scene-title")).toBe(SCENES[0]!.title)
})
