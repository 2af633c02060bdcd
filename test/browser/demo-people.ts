/** People who use the demo's pages in a real Chromium, against the demo's server in a separate process. */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright"
import { afterAll, afterEach, beforeAll, expect } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { startDemoServer } from "../support/demo-server.ts"
import type { DemoServer } from "../support/demo-server.ts"

/** What a browser writes to the console when a server is down. No page can prevent it. */
export const UNREACHABLE = /net::ERR_|WebSocket connection to .* failed/

export interface DemoPeople {
  readonly server: DemoServer
  /** Opens a page in a browser of its own, in which no script runs yet. */
  page(options?: BrowserContextOptions): Promise<Page>
  /** Creates a browser for a person. The pages that it opens share their storage, as tabs do, and join the room. */
  person(name: string, room: string, options?: BrowserContextOptions): Promise<{ open(path?: string): Promise<Page> }>
  newRoom(): string
}

/** Types a name and joins. */
export async function join(page: Page, name: string): Promise<void> {
  await page.fill("#name", name)
  await page.click('text="Join"')
  await page.waitForSelector("#people li")
}

/** Starts the server and the browser for the tests of a file, and checks that no page has reported an error. */
export function demoPeople(): DemoPeople {
  let browser: Browser
  let server: DemoServer
  let contexts: BrowserContext[] = []
  let faults: string[] = []
  let rooms = 0

  beforeAll(async () => {
    ;[browser, server] = await Promise.all([startChromium(), startDemoServer()])
  })
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()))
    contexts = []
    const found = faults
    faults = []
    expect(found).toEqual([])
  })
  afterAll(async () => {
    await browser?.close()
    await server?.kill()
  })

  async function contextOf(options: BrowserContextOptions): Promise<BrowserContext> {
    const context = await browser.newContext(options)
    contexts.push(context)
    context.on("console", (message) => {
      if (message.type() === "error" && !UNREACHABLE.test(message.text())) faults.push(message.text())
    })
    context.on("weberror", (error) => faults.push(String(error.error())))
    return context
  }

  return {
    get server() {
      return server
    },
    page: async (options = {}) => (await contextOf(options)).newPage(),
    async person(name, room, options = {}) {
      const context = await contextOf(options)
      return {
        async open(path = "/") {
          const page = await context.newPage()
          await page.goto(`${server.url}${path}?room=${room}`)
          await join(page, name)
          return page
        },
      }
    },
    newRoom: () => `test-${(rooms += 1)}`,
  }
}

/** Waits until a page lists exactly these people. Each is given as the text in its row. */
export async function sees(page: Page, ...people: string[]): Promise<void> {
  const shown = (): Promise<string[]> => page.locator("#people .name").allInnerTexts()
  await expect.poll(shown).toEqual(people)
}

export const is = (page: Page, status: string): Promise<unknown> => page.waitForSelector(`#dot[data-is=${status}]`)
