/** The services page of the demo in a real Chromium: four real worker processes, which are killed and drained. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { WebSocket } from "ws"
import { GAMES, SITES } from "../../demo/services/messages.ts"
import type { Tick } from "../../demo/services/messages.ts"
import { connect } from "../../src/client/index.ts"
import type { Connection, Room, Transport } from "../../src/client/index.ts"
import { axeViolations } from "../support/axe.ts"
import { startChromium } from "../support/chromium.ts"
import { startDemoServer } from "../support/demo-server.ts"
import type { DemoServer } from "../support/demo-server.ts"
import { UNREACHABLE } from "./demo-people.ts"

/** How long a page may take for one step. A last resort: Chromium is slow on a busy machine. */
const PAGE_TIMEOUT_MS = 60_000
/** The jobs that are looked at after a change: enough to see a pattern, and few enough to be soon those after the change. */
const LATEST_JOBS = 60
// Each test starts a server, a dispatcher, four workers and a page, which takes a while on a busy machine.
vi.setConfig({ testTimeout: 300_000 })

let browser: Browser
let server: DemoServer
let connection: Connection
let room: Room
let contexts: BrowserContext[] = []
let consoleErrors: string[] = []
/** The latest jobs that were done at the first attempt. */
let jobs: { worker: number; site: number }[] = []
let turns: readonly number[] = []

beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

beforeEach(async () => {
  server = await startDemoServer()
  jobs = []
  consoleErrors = []
  connection = connect(`${server.url.replace("http", "ws")}/socket`, { transport: WebSocket as unknown as Transport })
  room = connection.room("services")
  room.on<Tick>("tick", (tick) => {
    const first = tick.jobs.filter(([worker, , wasSentAgain]) => worker > 0 && wasSentAgain === 0)
    jobs = [...jobs, ...first.map(([worker, site]) => ({ worker, site }))].slice(-LATEST_JOBS)
    turns = tick.turns
  })
})
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()))
  contexts = []
  connection.disconnect()
  await server.kill()
  expect(consoleErrors).toEqual([])
})

/** Opens the page, and waits until all games run. */
async function open(options: BrowserContextOptions = {}): Promise<Page> {
  // Motion costs much without a graphics card. Two tests are of it, and that of a kill has it, too.
  const context = await browser.newContext({ reducedMotion: "reduce", ...options })
  contexts.push(context)
  const page = await context.newPage()
  page.setDefaultTimeout(PAGE_TIMEOUT_MS)
  page.on("console", (message) => message.type() === "error" && consoleErrors.push(message.text()))
  page.on("pageerror", ({ message }) => consoleErrors.push(message))
  await page.goto(`${server.url}/services.html`)
  await expect.poll(() => page.locator(".workers .game").count()).toBe(GAMES)
  await says(page, "24 games have started on the workers, and jobs flow.")
  return page
}

const says = (page: Page, text: string): Promise<unknown> =>
  page.locator("#feed li", { hasText: text }).first().waitFor()
const press = (page: Page, name: string): Promise<void> => page.getByRole("button", { name, exact: true }).click()
const gamesOf = (page: Page, worker: number): Promise<string[]> =>
  page.locator(`.worker[data-number="${worker}"] .game-number`).allInnerTexts()
const stateOf = (page: Page, worker: number, state: string): Promise<unknown> =>
  page.waitForSelector(`.worker[data-number="${worker}"][data-state=${state}]`)
const workersOf = (latest: typeof jobs): number[] => Array.from(new Set(latest.map(({ worker }) => worker))).sort()

/** Waits until the latest jobs are as a condition says. All of them were sent after this call, if it is one of a route. */
const jobsAre = (holds: (latest: typeof jobs) => boolean): Promise<unknown> =>
  expect.poll(() => jobs.length === LATEST_JOBS && holds(jobs)).toBe(true)

test("jobs flow to all four workers, the slow one gets the fewest, and each game runs on one worker", async () => {
  const page = await open()
  await jobsAre((latest) => workersOf(latest).length === 4)
  const counts = (): number[] => [1, 2, 3, 4].map((worker) => jobs.filter((job) => job.worker === worker).length)
  await expect.poll(() => Math.min(...counts().slice(0, 3)) > (counts()[3] ?? 0)).toBe(true)
  await expect.poll(async () => Number(await page.innerText("#rate"))).toBeGreaterThan(0)
  const games = (await page.locator(".worker .game-number").allInnerTexts()).map(Number)
  expect(games.sort((a, b) => a - b)).toEqual(Array.from({ length: GAMES }, (_, index) => index + 1))
  await expect.poll(() => page.locator("#jobs-plot .area").count()).toBe(5)
  await expect.poll(() => page.locator("#durations-plot .curve").first().getAttribute("d")).toMatch(/^M.+L/)
})

test("the jobs go where the chosen route says, on every page, and the page explains the route", async () => {
  const [page, other] = [await open(), await open()]
  await page.getByRole("radio", { name: "compare" }).check({ force: true })
  await says(page, "The dispatcher now chooses by compare((a, b) => a.meta.msPerJob - b.meta.msPerJob).")
  await jobsAre((latest) => workersOf(latest).join() === "1,2,3")
  await expect.poll(() => page.innerText('.worker[data-number="4"] .rate')).toBe("0 a second")
  await page.getByRole("radio", { name: "byKey" }).check({ force: true })
  await expect.poll(() => other.isChecked("[name=route][value=byKey]")).toBe(true)
  expect(await other.innerText("#route-code")).toBe("byKey(site)")
  expect(await other.innerText("#route-says")).toContain("All pages of a site go to the same worker.")
  const owners = (latest: typeof jobs): Set<string> => new Set(latest.map(({ worker, site }) => `${worker} ${site}`))
  await jobsAre((latest) => owners(latest).size === new Set(latest.map(({ site }) => site)).size)
  await page.getByRole("radio", { name: "random" }).check({ force: true })
  await jobsAre((latest) => owners(latest).size > SITES.length && workersOf(latest).length === 4)
})

test("a worker that is killed: its games start anew elsewhere, its jobs are done by others, and the page says so", async () => {
  const page = await open({ reducedMotion: "no-preference" })
  const lost = await gamesOf(page, 2)
  const kill = page.getByRole("button", { name: "Kill worker 2" })
  await kill.focus()
  await page.keyboard.press("Enter")
  await says(page, `Worker 2 was killed. It was running ${lost.length} game`)
  // Soon, because the plot shows only the latest minute.
  await expect.poll(() => page.locator("#jobs-plot .mark-text").allTextContents()).toContain("kill 2")
  await stateOf(page, 2, "killed")
  await says(page, `of worker 2 started anew on worker`)
  // What is said is sent at once, and where the games are at the end of the turn.
  await expect.poll(() => gamesOf(page, 2)).toEqual([])
  await expect.poll(() => page.locator(".workers .game").count()).toBe(GAMES)
  // No call hangs: nothing is unanswered there, and all games go on.
  await expect.poll(() => page.innerText('.worker[data-number="2"] .pending')).toBe("")
  const before = turns
  await expect.poll(() => turns.every((turn, game) => turn > (before[game] ?? 0))).toBe(true)
  await jobsAre((latest) => workersOf(latest).join() === "1,3,4")
  expect(await kill.evaluate((button) => button === document.activeElement)).toBe(true)
  expect(await kill.getAttribute("aria-disabled")).toBe("true")
  expect(await page.getByRole("status").innerText()).not.toBe("")
})

test("a worker that is drained: its games go on elsewhere at their turn, no job is lost, and it gets nothing new", async () => {
  const page = await open()
  await expect.poll(() => turns.every((turn) => turn >= 5)).toBe(true)
  const before = turns
  await press(page, "Drain worker 3")
  await says(page, "Worker 3 drains: it takes no new jobs")
  await stateOf(page, 3, "drained")
  await says(page, "of worker 3 went on at the turn that ")
  await says(page, "No job was lost.")
  expect(turns.every((turn, game) => turn >= (before[game] ?? 0))).toBe(true)
  await expect.poll(() => gamesOf(page, 3)).toEqual([])
  await jobsAre((latest) => workersOf(latest).join() === "1,2,4")
})

test("a worker that is started again gets the games that it owns back, with their turns, and takes jobs", async () => {
  const page = await open()
  const own = await gamesOf(page, 1)
  await press(page, "Drain worker 1")
  await stateOf(page, 1, "drained")
  await says(page, "of worker 1 went on at the turn")
  const before = turns
  await press(page, "Start worker 1")
  await stateOf(page, 1, "up")
  await expect.poll(() => gamesOf(page, 1)).toEqual(own)
  await says(page, "moved to worker 1, at the turn that ")
  expect(turns.every((turn, game) => turn >= (before[game] ?? 0))).toBe(true)
  await jobsAre((latest) => workersOf(latest).length === 4)
})

test("with no worker left, jobs fail at once and the page says what to do; one that is started takes all", async () => {
  const page = await open()
  for (const worker of [1, 2, 3, 4]) {
    await press(page, `Kill worker ${worker}`)
    await stateOf(page, worker, "killed")
  }
  await says(page, "No worker is left. Each job fails at once with no_instance, until you start one.")
  await expect.poll(() => page.innerText("#failed")).toMatch(/^\d+ failed$/)
  await press(page, "Start worker 2")
  await expect.poll(async () => (await gamesOf(page, 2)).length).toBe(GAMES)
  await jobsAre((latest) => workersOf(latest).join() === "2")
})

test("a page that is opened later, or loaded again, shows what has happened before", async () => {
  const page = await open()
  await press(page, "Kill worker 4")
  await says(page, "of worker 4 started anew")
  const linesOf = (page: Page): Promise<string[]> => page.locator("#feed li span").allInnerTexts()
  const lines = await linesOf(page)
  /** The newest is the first. More may have happened since. */
  const linesSoFar = async (page: Page): Promise<string[]> => (await linesOf(page)).slice(-lines.length)
  const later = await open()
  await expect.poll(() => linesSoFar(later)).toEqual(lines)
  await stateOf(later, 4, "killed")
  await page.reload()
  await stateOf(page, 4, "killed")
  await expect.poll(() => linesSoFar(page)).toEqual(lines)
})

test("a command that is none, or that comes too soon after another one, is refused", async () => {
  const page = await open()
  for (const argument of [0, 5, "1", null, undefined, { constructor: 1 }]) {
    await expect(room.push("kill", { argument })).rejects.toMatchObject({ code: "push_rejected" })
  }
  await expect(room.push("route", { argument: "toString" })).rejects.toMatchObject({ code: "push_rejected" })
  // Many at once: on a busy machine, the server may take a while for a few of them, after which the next one is not too soon.
  const outcomes = await Promise.allSettled(
    Array.from({ length: 50 }, () => room.push("route", { argument: "random" })),
  )
  expect(outcomes[0]!.status).toBe("fulfilled")
  const refused = outcomes.filter(({ status }) => status === "rejected")
  expect(refused.length).toBeGreaterThan(0)
  for (const each of refused)
    expect(each).toMatchObject({ reason: { reason: { reason: "One thing at a time: try again." } } })
  await expect.poll(() => page.isChecked("[name=route][value=random]")).toBe(true)
})

test("after the demo's server was killed and started again, the page says so meanwhile, and then shows the new workers", async () => {
  const page = await open()
  await server.kill()
  await expect.poll(() => page.innerText("#now")).toBe("The demo's server does not answer. Connecting again…")
  await server.start()
  await expect.poll(() => page.innerText("#now")).toBe("24 games have started on the workers, and jobs flow.")
  expect(await page.locator("#feed li").count()).toBe(1)
  await expect.poll(() => page.locator(".workers .game").count()).toBe(GAMES)
  // Chromium reports each attempt to connect that failed.
  consoleErrors = consoleErrors.filter((text) => !UNREACHABLE.test(text))
})

test("with reduced motion nothing flies: the bands show where jobs go, and a moved game is marked", async () => {
  const page = await open()
  await expect
    .poll(() =>
      page
        .locator(".band")
        .first()
        .evaluate((band) => parseFloat(getComputedStyle(band).strokeWidth)),
    )
    .toBeGreaterThan(1)
  await press(page, "Drain worker 2")
  await page.waitForSelector(".workers .game[data-came=moved]")
  expect(await page.locator(".flow circle").count()).toBe(0)
  expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
})

test("the dots fly only while motion is wanted", async () => {
  const page = await open({ reducedMotion: "no-preference" })
  await page.waitForSelector(".flow circle", { state: "attached" })
})

const looks: [string, BrowserContextOptions][] = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["forced colours", { forcedColors: "active" }],
]
test.each(looks)(
  "axe finds nothing on the page in %s, with a worker killed, on a phone and on a desktop",
  async (_, look) => {
    const page = await open({ ...look, viewport: { width: 1400, height: 900 } })
    await press(page, "Kill worker 3")
    await page.waitForSelector(".workers .game[data-came=anew]")
    expect(await axeViolations(page)).toEqual([])
    await page.setViewportSize({ width: 375, height: 812 })
    expect(await axeViolations(page)).toEqual([])
  },
)

test.each([320, 375, 768, 1000, 1400])(
  "the page fits a window of %i px, with all games on one worker",
  async (width) => {
    const page = await open({ viewport: { width, height: 800 } })
    const fits = (): Promise<boolean> => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)
    expect(await fits()).toBe(true)
    for (const worker of [2, 3, 4]) {
      await press(page, `Drain worker ${worker}`)
      // Not only "draining", which may be over before anybody looks.
      await page.waitForSelector(`.worker[data-number="${worker}"]:is([data-state=draining], [data-state=drained])`)
    }
    await expect.poll(async () => (await gamesOf(page, 1)).length).toBe(GAMES)
    expect(await fits()).toBe(true)
  },
)

test("what the page says next, and the state of a worker, move nothing else", async () => {
  const page = await open({ viewport: { width: 1400, height: 900 } })
  const places = (): Promise<unknown> =>
    page.evaluate(() =>
      Array.from(document.querySelectorAll(".now, .worker, .buttons, .dispatcher, .plot"), (part) =>
        part.getBoundingClientRect().toJSON(),
      ),
    )
  const before = await places()
  await press(page, "Kill worker 2")
  await says(page, "of worker 2 started anew on worker")
  expect(await places()).toEqual(before)
  await press(page, "Start worker 2")
  await stateOf(page, 2, "up")
  expect(await places()).toEqual(before)
})

test("each page of the demo links to the others", async () => {
  const page = await open()
  await page.getByRole("navigation").getByRole("link", { name: "Room" }).click()
  await page.waitForSelector("#name")
  await page.getByRole("navigation").getByRole("link", { name: "Services" }).click()
  await page.waitForSelector("#stage")
})
