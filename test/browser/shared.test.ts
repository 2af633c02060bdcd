/** `rollcall/shared` in a real Chromium: tabs that are closed, crash, freeze, hang, are left and come back. */
import type { Browser, BrowserContext, Page } from "playwright"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { startChromium } from "../support/chromium.ts"
import { startChromiumTabs } from "../support/chromium-tabs.ts"
import { bundleOfShared, leaderOf, live, openShared } from "./shared-pages.ts"

let browser: Browser
let script: string
let context: BrowserContext
beforeAll(async () => {
  script = await bundleOfShared()
  browser = await startChromium({ backForwardCache: true })
})
afterAll(() => browser?.close())
beforeEach(async () => {
  context = await browser.newContext()
})
afterEach(() => context.close())

/** One connection; a successor's handshake may overtake the end of the former one. */
async function isOne({ connections }: Awaited<ReturnType<typeof openShared>>): Promise<void> {
  await expect.poll(() => connections.now).toBe(1)
  expect(connections.most).toBeLessThanOrEqual(2)
}

/**
 * What a tab that goes on has seen since another one led. Until the server has noticed the end of the former connection, the person
 * may have two metas: only then is an update not counted.
 */
async function seenBy(page: Page, { connections }: Awaited<ReturnType<typeof openShared>>): Promise<string[]> {
  const seen = await page.evaluate<string[]>("seen")
  return connections.most > 1 ? seen.filter((each) => !each.startsWith("update")) : seen
}

const users = (page: Page): Promise<string[]> => page.evaluate("users()")

test("tabs share one connection, and the person is one presence", async () => {
  const all = await openShared(context, script)
  const one = await all.open({ tab: "one" })
  const two = await all.open({ tab: "two" })
  await expect.poll(() => all.tabsOf()).toEqual(["two"])
  for (const page of [one, two]) await expect.poll(() => users(page)).toEqual(["bob:bob", "ada:two"])
  expect(all.connections).toMatchObject({ most: 1, now: 1, all: 1 })
  expect(all.joins).toHaveLength(1)
  expect(await leaderOf([one, two])).toBe(0)
})

test("when the leader is closed, another tab connects, its view stays, and nobody seems to leave", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await expect.poll(() => users(two)).toContain("ada:two")
  await two.evaluate("seen.length = 0")
  all.seen.length = 0
  await one.close()
  await expect.poll(() => all.connections.all).toBe(2)
  await live(two)
  expect(await seenBy(two, all)).toEqual([])
  await expect.poll(() => all.tabsOf()).toEqual(["two"])
  expect(all.seen.filter((each) => each !== "update ada")).toEqual([])
})

test("when the leader's renderer crashes, another tab connects", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await expect.poll(() => users(two)).toContain("ada:two")
  await two.evaluate("seen.length = 0")
  all.seen.length = 0
  const devtools = await context.newCDPSession(one)
  devtools.send("Page.crash").catch(() => {})
  await expect.poll(() => all.connections.all).toBe(2)
  await expect.poll(() => all.connections.now).toBe(1)
  await live(two)
  expect(await seenBy(two, all)).toEqual([])
  expect(all.seen.filter((each) => each !== "update ada")).toEqual([])
})

test("with presenceGraceMs on the server, a viewer without a grace period never misses a person whose leader crashed", async () => {
  const all = await openShared(context, script, 0, 60_000)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await expect.poll(() => users(two)).toContain("ada:two")
  const isMissing: boolean[] = []
  all.room.subscribe(() => isMissing.push(!all.room.get("ada")))
  all.seen.length = 0
  const devtools = await context.newCDPSession(one)
  devtools.send("Page.crash").catch(() => {})
  await expect.poll(() => all.connections.all).toBe(2)
  await live(two)
  await expect.poll(() => all.connections.now).toBe(1)
  await expect.poll(() => all.tabsOf()).toEqual(["two"])
  expect(all.seen.filter((each) => each !== "update ada")).toEqual([])
  expect(isMissing).not.toContain(true)
})

test("after a sign-out the person is gone at once, although the server keeps presences", async () => {
  const all = await openShared(context, script, 0, 60_000)
  await all.open({ tab: "one" })
  const two = await all.open({ tab: "two" })
  await two.evaluate("connection.disconnectAll()")
  await expect.poll(() => all.server.presence.list("rooms:1")["ada"]).toBeUndefined()
  await expect.poll(() => all.connections.now).toBe(0)
  expect(all.server.stats().counters["kept_presences"]).toBe(0)
})

test("a leader that hangs is replaced, and closes its connection when it goes on", async () => {
  const all = await openShared(context, script)
  const one = await all.open({ tab: "one" })
  const two = await all.open({ tab: "two", options: { pingMs: 500 } })
  await expect.poll(() => users(two)).toContain("ada:two")
  await two.evaluate("seen.length = 0")
  const devtools = await context.newCDPSession(one)
  await devtools.send("Debugger.enable")
  await devtools.send("Debugger.pause")
  void one.evaluate("1 + 1").catch(() => {})
  await expect.poll(() => leaderOf([two])).toBe(0)
  await live(two)
  // While the old connection is there, the person has two metas.
  expect((await two.evaluate<string[]>("seen")).filter((each) => !each.startsWith("update"))).toEqual([])
  await devtools.send("Debugger.resume")
  await expect.poll(() => all.connections.now).toBe(1)
  await live(one)
  expect(await leaderOf([one, two])).toBe(1)
})

test("a leader that goes into the back/forward cache resigns, and comes back as one of the others", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await one.goto(`${all.url}/other`)
  await expect.poll(() => leaderOf([two])).toBe(0)
  await live(two)
  await expect.poll(() => all.connections.all).toBe(2)
  await one.goBack({ waitUntil: "commit" })
  await one.waitForFunction("window.isRestored")
  await live(one)
  expect(await leaderOf([one, two])).toBe(1)
  await isOne(all)
  expect(all.connections.all).toBe(2)
})

test("ten tabs share one connection, whichever of them are closed", async () => {
  const all = await openShared(context, script)
  let pages: Page[] = []
  for (let tab = 0; tab < 10; tab += 1) pages.push(await all.open({ tab: `${tab}` }))
  expect(all.connections).toMatchObject({ most: 1, now: 1, all: 1 })
  expect(all.joins).toHaveLength(1)
  all.seen.length = 0
  while (pages.length > 1) {
    const leader = await leaderOf(pages)
    const closed = pages.splice(leader, 1)
    if (pages.length > 2) closed.push(...pages.splice(0, 1))
    for (const page of closed) await page.close()
    await expect.poll(() => leaderOf(pages)).not.toBe(-1)
    for (const page of pages) {
      await live(page)
      expect((await users(page)).length).toBe(2)
    }
  }
  await isOne(all)
  expect(all.seen.filter((each) => each !== "update ada")).toEqual([])
  await pages[0]!.close()
  await expect.poll(() => all.connections.now).toBe(0)
})

test("tabs of two origins, and of two people, have a connection each", async () => {
  const all = await openShared(context, script)
  await all.open({ tab: "one" })
  await all.open({ tab: "two" }, `http://localhost:${all.port}`)
  await all.open({ tab: "three", key: "eve" })
  expect(all.connections).toMatchObject({ most: 3, now: 3, all: 3 })
})

test("a sign-out in one tab ends the connections of all", async () => {
  const all = await openShared(context, script)
  const [one, two, three] = [
    await all.open({ tab: "one" }),
    await all.open({ tab: "two" }),
    await all.open({ tab: "three", key: "eve" }),
  ]
  await two.evaluate("connection.disconnectAll()")
  for (const page of [one, two]) {
    await page.waitForFunction("connection.status === 'closed' && room.status === 'closed'")
    expect(await page.evaluate("connection.isLeader")).toBe(false)
  }
  await expect.poll(() => all.connections.now).toBe(1)
  expect(await three.evaluate("room.status")).toBe("live")
})

test("a page in the back/forward cache does not come back joined after a sign-out", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await one.evaluate("window.isOld = true")
  await one.goto(`${all.url}/other`)
  await expect.poll(() => leaderOf([two])).toBe(0)
  await two.evaluate("connection.disconnectAll()")
  await expect.poll(() => all.connections.now).toBe(0)
  await one.goBack({ waitUntil: "commit" })
  await one.waitForFunction("window.connection")
  // As a rule it is loaded anew, so the application decides. It is the old one if it comes back before the message has removed it.
  await expect.poll(() => one.evaluate("!window.isOld || connection.status === 'closed'")).toBe(true)
})

test("what tabs send is answered, and reaches the others once, whichever tab leads", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  const received: unknown[] = []
  all.room.on("chat", (payload) => received.push(payload))
  for (const page of [one, two]) {
    const tab = await page.evaluate("connection.isLeader")
    expect(await page.evaluate("room.push('ask', { tab: 1 })")).toEqual({ asked: { tab: 1 } })
    await page.evaluate(`room.broadcast("chat", { text: "${String(tab)}" })`)
  }
  await expect
    .poll(() => received)
    .toEqual([
      { text: "true", from: "ada" },
      { text: "false", from: "ada" },
    ])
  await all.room.broadcast("chat", { text: "hi" })
  for (const page of [one, two]) await expect.poll(() => page.evaluate("messages")).toEqual(["hi of bob"])
})

test("the meta of the last active tab is that of the person; a function may merge them", async () => {
  const all = await openShared(context, script)
  const mergeMetas = "(metas) => ({ ...metas.at(-1), mood: metas.map(({ mood }) => mood).join() })"
  const one = await all.open({ tab: "one", mergeMetas })
  const two = await all.open({ tab: "two", mergeMetas })
  await one.evaluate("room.update({ mood: 'glad' })")
  await two.evaluate("room.update({ mood: 'sad' })")
  await expect.poll(() => all.room.get("ada")?.metas).toMatchObject([{ tab: "two", mood: "glad,sad" }])
  await one.evaluate("dispatchEvent(new Event('focus'))")
  await expect.poll(() => all.room.get("ada")?.metas).toMatchObject([{ tab: "one", mood: "sad,glad" }])
  await two.close()
  await expect.poll(() => all.room.get("ada")?.metas).toMatchObject([{ tab: "one", mood: "glad" }])
})

test("a topic is left with the last tab that holds it", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await one.evaluate("room.leave()")
  await expect.poll(() => all.tabsOf()).toEqual(["two"])
  expect(await two.evaluate("room.status")).toBe("live")
  all.seen.length = 0
  await two.evaluate("room.leave()")
  await expect.poll(() => all.server.presence.list("rooms:1")["ada"]).toBeUndefined()
})

test("when the connection is lost, one tab connects again, and all are live again", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  for (const page of [one, two]) await expect.poll(() => users(page)).toContain("ada:two")
  for (const page of [one, two]) await page.evaluate("seen.length = 0")
  all.seen.length = 0
  await all.server.disconnect("ada")
  await expect.poll(() => all.connections.all).toBe(2)
  for (const page of [one, two]) {
    await live(page)
    expect(await page.evaluate("seen")).toEqual([])
  }
  await isOne(all)
  expect(all.seen.filter((each) => each !== "update ada")).toEqual([])
})

test("when the server refuses the leader, all tabs show the reason", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  all.refuse()
  await all.server.disconnect("ada")
  for (const page of [one, two]) {
    await expect.poll(() => page.evaluate("connection.status")).toBe("refused")
    expect(await page.evaluate("connection.reason")).toEqual({ code: "refused", detail: "refused" })
  }
})

test("where the browser has no locks, each tab connects by itself", async () => {
  const all = await openShared(context, script)
  await context.addInitScript("delete Navigator.prototype.locks")
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  expect(all.connections).toMatchObject({ now: 2, all: 2 })
  for (const page of [one, two]) expect(await page.evaluate("connection.isLeader")).toBe(true)
})

test("tabs ask who is online by the leader's connection, each about its own keys, also when another tab leads", async () => {
  const all = await openShared(context, script)
  const [one, two] = [await all.open({ tab: "one" }), await all.open({ tab: "two" })]
  await one.evaluate("window.online = connection.online(['bob', 'carl'])")
  await two.evaluate("window.online = connection.online(['bob', 'eve'])")
  const known = (page: Page): Promise<unknown> => page.evaluate("Object.fromEntries(online.getSnapshot())")
  await expect.poll(() => known(one)).toEqual({ bob: "online", carl: "offline" })
  await expect.poll(() => known(two)).toEqual({ bob: "online", eve: "offline" })
  await two.evaluate("online.set(['eve', 'ada'])")
  await expect.poll(() => known(two)).toEqual({ eve: "offline", ada: "online" })
  expect(all.connections).toMatchObject({ most: 1, now: 1, all: 1 })
  await one.close()
  await expect.poll(() => all.connections.all).toBe(2)
  await live(two)
  const eve = all.server.presence.track({ topic: "rooms:2", key: "eve" })
  await expect.poll(() => known(two)).toEqual({ eve: "online", ada: "online" })
  eve.end()
  await expect.poll(() => known(two)).toEqual({ eve: "offline", ada: "online" })
  await isOne(all)
  expect(all.connections.all).toBe(2)
})

test("a tab counts users by a connection of its own, which it opens for that", async () => {
  const all = await openShared(context, script)
  const page = await all.open({ tab: "one" })
  expect(all.connections.now).toBe(1)
  await page.evaluate("window.count = connection.count('rooms:1')")
  await expect.poll(() => page.evaluate("count.total")).toBe(2)
  expect(all.connections.now).toBe(2)
  await page.evaluate("connection.disconnect()")
  await expect.poll(() => all.connections.now).toBe(0)
})

describe("in a window with tabs", () => {
  let chromium: Awaited<ReturnType<typeof startChromiumTabs>>
  beforeAll(async () => {
    chromium = await startChromiumTabs()
  })
  afterAll(() => chromium?.close())

  test("a hidden leader that is frozen resigns, and uses the connection of another tab when it resumes", async () => {
    const all = await openShared(chromium.tabs, script)
    const one = await all.open({ tab: "one" })
    const two = await all.open({ tab: "two" })
    await two.bringToFront()
    expect(await leaderOf([one, two])).toBe(0)
    const devtools = await chromium.tabs.newCDPSession(one)
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" })
    await expect.poll(() => leaderOf([two])).toBe(0)
    await live(two)
    await devtools.send("Page.setWebLifecycleState", { state: "active" })
    await live(one)
    expect(await leaderOf([one, two])).toBe(1)
    await isOne(all)
    expect(all.connections.all).toBe(2)
  })

  test("a hidden leader yields to a tab that is visible; others see an update, even without a grace period", async () => {
    const all = await openShared(chromium.tabs, script, 0)
    const given = { options: { handOverMs: 300 }, isLingering: true }
    const one = await all.open({ tab: "one", ...given })
    const two = await all.open({ tab: "two", ...given })
    await two.bringToFront()
    await expect.poll(() => leaderOf([one, two])).toBe(1)
    // Both connections have joined: the next one before the former one ends.
    await expect.poll(() => all.server.presence.list("rooms:1")["ada"]?.metas.length).toBe(2)
    for (const page of [one, two]) await live(page)
    await one.evaluate("endLinger()")
    await expect.poll(() => all.connections.now).toBe(1)
    expect(all.seen.filter((each) => each !== "update ada")).toEqual(["join ada"])
    await one.bringToFront()
    await expect.poll(() => leaderOf([one, two])).toBe(0)
    await live(two)
  })
})
