/** `rollcall/idle` in a real Chromium: real inputs, tabs that are really hidden, frozen, left and restored. */
import { createServer as createHttpServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { BrowserContext, Page } from "playwright"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { connect, merged, type Room } from "../../src/client/index.ts"
import type { IdleOptions } from "../../src/client/idle.ts"
import { createServer } from "../../src/server/index.ts"
import { memoryTransport } from "../../src/testing/index.ts"
import { startChromium } from "../support/chromium.ts"
import { bundleOf } from "./dist-bundle.ts"
import { startChromiumTabs } from "../support/chromium-tabs.ts"

type Fields = { tab?: string; away?: boolean; left?: boolean }

const HTML = `<!doctype html><link rel="icon" href="data:,"><body style="height: 5000px"><script type="module">
  import { connect, idle } from "/bundle.js"
  const { options, tab, isTimeOurs } = JSON.parse(decodeURIComponent(location.search.slice(1)))
  // A clock that stands still until the test lets time pass.
  let now = 0
  const due = new Map()
  const timers = {
    now: () => now,
    set: (run, ms) => (due.set(run, now + ms), run),
    clear: (timer) => due.delete(timer),
  }
  window.pass = (ms) => {
    now += ms
    for (const [run, at] of due) if (at <= now && due.delete(run)) run()
  }
  window.seen = []
  for (const type of ["blur", "visibilitychange"]) addEventListener(type, () => seen.push(type))
  addEventListener("pageshow", ({ persisted }) => persisted && seen.push("restored"))
  const connection = connect("/socket", { params: { key: "ada" } })
  window.room = connection.room("rooms:1", { me: { tab } }, { updateThrottleMs: 0 })
  window.watch = idle(room, { ...options, connection, ...(isTimeOurs && { timers }) })
</script>`

let script: string
beforeAll(async () => {
  script = await bundleOf(
    `export { connect } from "./dist/client/index.js"; export { idle } from "./dist/client/idle.js"`,
  )
})

/** A server, another user in its room, and a way to open tabs of ada. */
async function open(context: BrowserContext) {
  const server = createServer()
  /** What pages have sent when they were left. */
  const told: unknown[] = []
  server.socket("/socket", { connect: ({ params }) => ({ key: String(params["key"]) }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    allow: ["tab", "away", "left"],
    on: { leaving: (payload) => void told.push(payload) },
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
  const http = createHttpServer(({ url }, response) => {
    if (url?.startsWith("/socket")) return undefined
    if (url === "/bundle.js") return response.setHeader("content-type", "text/javascript").end(script)
    return response.setHeader("content-type", "text/html").end(url?.startsWith("/room") ? HTML : "another page")
  })
  await server.attach(http)
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const { WebSocket: transport } = memoryTransport(server)
  const connection = connect("ws://memory/socket", { transport, params: { key: "bob" } })
  const room: Room<Fields> = connection.room<Fields>("rooms:1")
  const seen: string[] = []
  room.onChange((changes) => {
    for (const { type, key, current } of changes)
      if (key === "ada")
        seen.push([type, ...Object.keys({ ...current?.metas.at(-1) }).filter((f) => /^(away|left)$/.test(f))].join(" "))
  })
  await room.ready
  const pages: Page[] = []
  onTestFinished(async () => {
    for (const page of pages) await page.close()
    connection.disconnect()
    http.closeAllConnections()
    http.close()
    await server.close()
  })
  /** The tabs of ada that are away, as bob sees them. */
  const away = (): string[] => (room.get("ada")?.metas ?? []).flatMap((meta) => (meta.away ? [meta.tab ?? ""] : []))
  return {
    url,
    room,
    seen,
    told,
    away,
    isAway: () => merged(room.get("ada")).away === true,
    /** @param isTimeOurs whether the page's watch has a clock that stands still: `pass(ms)` of the page lets time pass */
    async tab(options: IdleOptions = {}, tab = "one", isTimeOurs = false): Promise<Page> {
      const page = await context.newPage()
      pages.push(page)
      await page.goto(`${url}/room?${encodeURIComponent(JSON.stringify({ options, tab, isTimeOurs }))}`)
      await page.waitForFunction("room.status === 'live'")
      await page.bringToFront()
      return page
    },
    async blank(): Promise<Page> {
      const page = await context.newPage()
      pages.push(page)
      await page.bringToFront()
      return page
    },
  }
}

const LONG = 2 ** 31 - 1

describe("in a window with tabs", () => {
  let chromium: Awaited<ReturnType<typeof startChromiumTabs>>
  beforeAll(async () => {
    chromium = await startChromiumTabs()
  })
  afterAll(() => chromium?.close())

  const INPUTS: Record<string, (page: Page) => Promise<void>> = {
    "a move of the pointer": (page) => page.mouse.move(20, 20),
    "a press of the pointer": (page) => page.mouse.down(),
    "a key": (page) => page.keyboard.press("a"),
    "the wheel": (page) => page.mouse.wheel(0, 100),
    "a touch": async (page) => {
      const devtools = await page.context().newCDPSession(page)
      await devtools.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: 5, y: 5 }] })
    },
  }

  test.for(Object.keys(INPUTS))("a person who has not used the page is away, until %s", async (input) => {
    const { tab, isAway } = await open(chromium.tabs)
    // By a clock of the test: otherwise the person would soon be away again, perhaps before anybody saw them active.
    const page = await tab({ afterMs: 60_000, hiddenAfterMs: LONG }, "one", true)
    const pass = async (): Promise<boolean> => {
      await page.evaluate("pass(60_001)")
      return isAway()
    }
    await expect.poll(pass).toBe(true)
    await INPUTS[input]!(page)
    await expect.poll(isAway).toBe(false)
    await expect.poll(pass).toBe(true)
  })

  test("a page is away a while after another tab was brought to the front, and back when it is in front", async () => {
    const { tab, blank, isAway } = await open(chromium.tabs)
    const page = await tab({ afterMs: LONG, hiddenAfterMs: 50 })
    await blank()
    await expect.poll(isAway).toBe(true)
    await page.bringToFront()
    await expect.poll(isAway).toBe(false)
  })

  test("a person with two tabs is away only when both are hidden", async () => {
    const { tab, blank, away, isAway } = await open(chromium.tabs)
    await tab({ afterMs: LONG, hiddenAfterMs: 0 }, "one")
    const second = await tab({ afterMs: LONG, hiddenAfterMs: 0 }, "two")
    await expect.poll(away).toEqual(["one"])
    expect(isAway()).toBe(false)
    await blank()
    await expect.poll(() => away().sort()).toEqual(["one", "two"])
    expect(isAway()).toBe(true)
    await second.bringToFront()
    await expect.poll(away).toEqual(["one"])
    expect(isAway()).toBe(false)
  })

  test("a hidden page is away when the browser freezes it, however long it might have been hidden", async () => {
    const { tab, blank, isAway } = await open(chromium.tabs)
    const page = await tab({ afterMs: LONG, hiddenAfterMs: LONG })
    const devtools = await page.context().newCDPSession(page)
    await blank()
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" })
    await expect.poll(isAway).toBe(true)
    await devtools.send("Page.setWebLifecycleState", { state: "active" })
    await page.bringToFront()
    await expect.poll(isAway).toBe(false)
  })

  test("a page that opens in the background is away a while after that", async () => {
    const { tab, blank, isAway } = await open(chromium.tabs)
    const page = await tab({ afterMs: LONG, hiddenAfterMs: LONG })
    await blank()
    await page.evaluate("watch.stop()")
    await expect.poll(() => page.evaluate("document.hidden")).toBe(true)
    const { url } = page
    await page.goto(url.call(page).replace(`%22hiddenAfterMs%22%3A${LONG}`, "%22hiddenAfterMs%22%3A50"))
    await expect.poll(isAway).toBe(true)
  })
})

describe("with the back/forward cache", () => {
  let chromium: Awaited<ReturnType<typeof startChromiumTabs>>
  beforeAll(async () => {
    chromium = await startChromiumTabs()
  })
  afterAll(() => chromium?.close())

  test.for([
    ["leaves at once", undefined, []],
    ["sends the chosen fields, and leaves", { left: true }, [{ meta: { left: true } }]],
  ] as const)("a page that is left %s, and is back as it was when it returns", async ([, leaving, sent]) => {
    const { tab, url, seen, told, room } = await open(chromium.tabs)
    const page = await tab({ afterMs: LONG, hiddenAfterMs: 0, leaving, updateEvent: "leaving" })
    await expect.poll(() => room.get("ada")?.metas.length).toBe(1)
    seen.length = 0
    await page.goto(`${url}/other`)
    await expect.poll(() => room.get("ada")).toBeUndefined()
    await page.goBack({ waitUntil: "commit" })
    await page.waitForFunction("seen.includes('restored') && room.status === 'live'")
    // By an event of its own, because an update and a leave that reach the server in one turn are one change.
    await expect.poll(() => seen.filter((change) => change !== "update")).toEqual(["leave", "join"])
    expect(told).toEqual(sent)
    await expect.poll(() => Object.keys(room.get("ada")?.metas[0] ?? {}).sort()).toEqual(["phx_ref", "tab"])
    expect(await page.evaluate("watch.isAway")).toBe(false)
  })
})

test("a page that has lost the focus, but is seen, is not away", async () => {
  const browser = await startChromium()
  onTestFinished(() => browser.close())
  const context = await browser.newContext()
  const { tab, blank, isAway } = await open(context)
  const page = await tab({ afterMs: LONG, hiddenAfterMs: 0 })
  const devtools = await context.newCDPSession(page)
  await devtools.send("Emulation.setFocusEmulationEnabled", { enabled: false })
  await blank()
  await page.waitForFunction("seen.includes('blur')")
  expect(await page.evaluate("[document.hasFocus(), document.visibilityState, watch.isAway]")).toEqual([
    false,
    "visible",
    false,
  ])
  expect(isAway()).toBe(false)
})
