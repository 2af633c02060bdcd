/** What the demo's room shows of people: many of them, those who type, are away, come back, and have the same name. */
import type { Page } from "playwright"
import { expect, test } from "vitest"
import { axeViolations } from "../support/axe.ts"
import { demoPeople, is, join, sees } from "./demo-people.ts"

const demo = demoPeople()
const { person, newRoom } = demo

const stackOf = (page: Page): Promise<string[]> => page.locator("#stack .avatar").allInnerTexts()
const linesOf = (page: Page): Promise<string[]> => page.locator("#feed li span").allInnerTexts()
const statusOf = (page: Page, key: string, status: string): Promise<unknown> =>
  page.waitForSelector(`#people [data-key="${key}"] .dot[data-is=${status}]`)

/** Sends a line, and waits until another page shows it: by then that page has got all that was sent before. */
async function say(from: Page, to: Page, text: string): Promise<void> {
  await from.fill("#line", text)
  await from.press("#line", "Enter")
  await to.locator("#feed .said", { hasText: text }).waitFor()
}

test("a room of 121 people is one stack with a count, one list that scrolls, and one line in the log, until they go", async () => {
  const ada = await (await person("Zoe", `${newRoom()}&people=121`)).open()
  await expect.poll(() => ada.innerText("#count")).toBe("121 people are here")
  expect(await stackOf(ada)).toEqual(["Z", "A", "B", "C", "D", "E", "F", "+114"])
  expect(await linesOf(ada)).toContain("120 people joined")
  expect(await ada.getAttribute("#stack", "aria-label")).toMatch(/^Here: you, Ada Adams, .*, and 114 more$/)
  expect(await ada.locator(".scroll").evaluate((list) => list.scrollHeight > list.clientHeight)).toBe(true)
  await ada.click('text="Send them home"')
  await sees(ada, "Zoe you")
  await ada.click('text="Add 120 people"')
  await expect.poll(() => ada.innerText("#count")).toBe("121 people are here")
})

test("a page that is loaded again comes back by itself, and nobody else sees it leave", async () => {
  const room = newRoom()
  const ada = await demo.page()
  // Ada's clock stands still, so that the 5 s after which a leave is shown do not pass on a slow machine.
  await ada.clock.install()
  await ada.goto(`${demo.server.url}/?room=${room}`)
  await join(ada, "Ada")
  const grace = await (await person("Grace", room)).open()
  await sees(ada, "Ada you", "Grace")
  await ada.clock.pauseAt((await ada.evaluate(() => Date.now())) + 20_000)
  await grace.reload()
  await sees(grace, "Ada", "Grace you")
  await say(grace, ada, "here again")
  const lines = await linesOf(ada)
  expect(lines.slice(-2)).toEqual(["Grace joined", "Ada joined"])
  expect(lines.filter((line) => /^Grace (left|joined)/.test(line))).toEqual(["Grace joined"])
  await grace.click("#leave")
  await grace.waitForSelector("#sign-in")
  // Second by second, because the leave may reach Ada's page after the first of them.
  await expect
    .poll(async () => {
      await ada.clock.fastForward(1_000)
      return ada.locator("#people .name").allInnerTexts()
    })
    .toEqual(["Ada you"])
})

test("others see that somebody types, and then the line", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open("/modules.html")
  await expect
    .poll(async () => {
      await grace.press("#line", "h")
      return ada.innerText("#typing")
    })
    .toBe("Grace is typing…")
  expect(await grace.innerText("#typing"), "not one's own").toBe("")
  await say(grace, ada, "hello to <b>all</b>")
  await expect.poll(() => ada.innerText("#typing")).toBe("")
  await expect.poll(async () => (await linesOf(grace))[0]).toBe("Grace: hello to <b>all</b>")
})

test("away that was chosen by hand stays, although another tab of the same person is used, and says something", async () => {
  const room = newRoom()
  const ada = await person("Ada", room)
  const grace = await (await person("Grace", room)).open()
  const [chooses, works] = [await ada.open(), await ada.open()]
  await sees(grace, "Grace you", "Ada (2)")
  await chooses.check("[name=status][value=away]")
  await statusOf(grace, "Ada", "away")
  await works.mouse.move(100, 200)
  await works.reload()
  await is(works, "live")
  await say(works, grace, "still away")
  await statusOf(grace, "Ada", "away")
  const statuses = (await linesOf(grace)).filter((line) => /^Ada is (available|away|busy)$/.test(line))
  expect(statuses).toEqual(["Ada is away"])
  expect(await works.isChecked("[name=status][value=away]")).toBe(true)
})

test("a person without an input for a minute is away, and available with the next one", async () => {
  const room = newRoom()
  const grace = await (await person("Grace", room)).open()
  const ada = await demo.page()
  await ada.clock.install()
  await ada.goto(`${demo.server.url}/?room=${room}`)
  await join(ada, "Ada")
  await statusOf(grace, "Ada", "available")
  await ada.clock.fastForward(61_000)
  await statusOf(grace, "Ada", "away")
  await ada.press("#line", "x")
  await statusOf(grace, "Ada", "available")
})

test("a name that is taken gets a mark, which stays when its page is loaded again", async () => {
  const room = newRoom()
  const first = await (await person("Ada", room)).open()
  const second = await (await person("Ada", room)).open()
  await sees(first, "Ada you", "Ada #2")
  await sees(second, "Ada", "Ada #2 you")
  await expect.poll(() => first.locator("#stack .avatar.marked").count()).toBe(1)
  await second.reload()
  await sees(second, "Ada", "Ada #2 you")
  await say(second, first, "it is me")
  expect((await linesOf(first))[0]).toBe("Ada #2: it is me")
})

test("the form for a name says how many people are in the room, and when the server is down, until it is up", async () => {
  const room = newRoom()
  const page = await demo.page()
  const look = (): Promise<string> => page.innerText("#look")
  await page.goto(`${demo.server.url}/?room=${room}`)
  await expect.poll(look).toBe("Nobody is in this room yet.")
  await (await person("Ada", room)).open()
  await expect.poll(look).toBe("1 person is in this room now.")
  await demo.server.kill()
  await expect.poll(look).toBe("The server does not answer. This page goes on by itself when it does.")
  await demo.server.start()
  await expect.poll(look).toBe("1 person is in this room now.")
})

test("a room says that the server is down, keeps its people, and has all of them again when it is up, without a leave", async () => {
  const room = newRoom()
  const page = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await page.click('text="Add 120 people"')
  await expect.poll(() => page.innerText("#count")).toBe("122 people are here")
  await demo.server.kill()
  await page.waitForSelector("#down:visible")
  expect(await page.innerText("#down")).toMatch(/^The server does not answer\..*npm run demo/)
  expect(await page.innerText("#count")).toBe("122 people were here")
  expect(await axeViolations(page)).toEqual([])
  await demo.server.start()
  await page.waitForSelector("#down", { state: "hidden" })
  await Promise.all([is(page, "live"), is(grace, "live")])
  // The server itself counts those whom it has, not those whose leave is not shown yet.
  const look = await demo.page()
  await look.goto(`${demo.server.url}/?room=${room}`)
  await expect.poll(() => look.innerText("#look")).toBe("122 people are in this room now.")
  // A page that was offline does not bring back the crowd that somebody sends home meanwhile.
  await page.click("#disconnect")
  await is(page, "stale")
  await grace.click('text="Send them home"')
  await expect.poll(() => look.innerText("#look")).toBe("1 person is in this room now.")
  await page.click("#disconnect")
  await is(page, "live")
  await say(page, grace, "here again")
  await expect.poll(() => look.innerText("#look")).toBe("2 people are in this room now.")
  // By now the server has handled all that the page sent when it came back.
  await look.reload()
  await look.waitForSelector("#look[data-is=live]")
  expect(await look.innerText("#look")).toBe("2 people are in this room now.")
})

test("a room that is loaded again keeps its crowd as it was", async () => {
  const page = await (await person("Zoe", `${newRoom()}&people=30`)).open()
  await expect.poll(() => page.innerText("#count")).toBe("30 people are here")
  const grace = await (await person("Grace", new URL(page.url()).searchParams.get("room")!)).open()
  await expect.poll(() => grace.innerText("#count")).toBe("31 people are here")
  await page.reload()
  await is(page, "live")
  await say(page, grace, "here again")
  expect((await linesOf(grace)).filter((line) => /\d+ people/.test(line))).toEqual(["30 people were here before you"])
})

test.each([
  ["no name", "/?room=", "lobby"],
  ["blanks", "/?room=%20%20", "lobby"],
  ["a key of every object", "/?room=__proto__", "__proto__"],
  ["markup", "/?room=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "<img src=x onerror=alert(1)>"],
  ["a name that is too long", `/?room=${"x".repeat(5_000)}`, "x".repeat(60)],
])("a link to a room with %s leads into a room, also back from another page of the demo", async (kind, link, room) => {
  const page = await demo.page()
  await page.goto(demo.server.url + link)
  expect(await page.innerText("#entry-room")).toBe(room)
  // A name that nobody could see is asked for again.
  await page.fill("#name", "\u200B\u2060")
  await page.click('text="Join"')
  expect(await page.isVisible("#room")).toBe(false)
  const name = `مها <b>😀</b> ${kind}`
  await join(page, name)
  await is(page, "live")
  expect(await page.innerText("#topic")).toBe(room)
  expect(await page.innerText("#people .name")).toBe(`${name} you`)
  await page.getByRole("link", { name: "Cluster" }).click()
  await page.waitForURL(/\/cluster\.html/)
  await page.getByRole("link", { name: "Room", exact: true }).click()
  await is(page, "live")
  expect(await page.innerText("#topic")).toBe(room)
})

test.each([390, 850, 1280])(
  "the way into a room of 121 people moves nothing that is shown, at %d px",
  async (width) => {
    const page = await demo.page({ viewport: { width, height: 844 } })
    await page.addInitScript(() => {
      let moved = 0
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) moved += (entry as unknown as { value: number }).value
      }).observe({ type: "layout-shift", buffered: true })
      Object.defineProperty(window, "moved", { get: () => moved })
    })
    await page.goto(`${demo.server.url}/?room=${newRoom()}&people=121`)
    await page.waitForSelector("#look[data-is=live]")
    await join(page, "Ada")
    await expect.poll(() => page.innerText("#count")).toBe("121 people are here")
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    // Two frames later, what the last change has moved is reported.
    const moved = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          requestAnimationFrame(() =>
            requestAnimationFrame(() => resolve((window as unknown as { moved: number }).moved)),
          )
        }),
    )
    expect(moved).toBeLessThan(0.1)
  },
)

test("the Tab key goes through the room in the order in which it is read, and opens the inspector", async () => {
  const page = await (await person("Ada", newRoom())).open()
  const order: string[] = []
  for (let presses = 0; presses < 9; presses += 1) {
    await page.keyboard.press("Tab")
    order.push(await page.evaluate(() => document.activeElement!.id || document.activeElement!.className))
    if (order.at(-1) === "inspect") {
      await page.keyboard.press("Enter")
      await page.locator("rollcall-inspector").waitFor({ state: "attached" })
      await page.locator("#inspect").focus()
    }
  }
  expect(order.slice(0, 6)).toEqual(["copy-link", "leave", "crowd", "inspect", "disconnect", "scroll"])
  expect(order.slice(7)).toEqual(["line", ""])
})

test("somebody who prefers less motion gets none, and the pages of the demo are linked, this one marked", async () => {
  const ada = await (await person("Ada", newRoom(), { reducedMotion: "reduce" })).open()
  const motions = await ada
    .locator("#stack .avatar, #people li")
    .evaluateAll((parts) => parts.map((part) => getComputedStyle(part).animationName))
  expect(new Set(motions)).toEqual(new Set(["none"]))
  const links = ada.getByRole("navigation", { name: "Demos" }).getByRole("link")
  expect((await links.allInnerTexts()).slice(0, 2)).toEqual(["Room", "Services"])
  expect(await links.first().getAttribute("aria-current")).toBe("page")
})

test("a room of one's own has a name that nobody else has, and its link leads into it", async () => {
  const page = await demo.page()
  await page.goto(demo.server.url)
  await page.click("#own-room")
  await expect.poll(() => page.innerText("#entry-room")).toMatch(/^room-\w+$/)
  const room = await page.innerText("#entry-room")
  await join(page, "Ada")
  const grace = await (await person("Grace", room)).open()
  await sees(grace, "Ada", "Grace you")
})
