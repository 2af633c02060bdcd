import type { Page } from "playwright"
import { expect, test } from "vitest"
import { axeViolations } from "../support/axe.ts"
import { demoPeople, is, join, sees } from "./demo-people.ts"

const demo = demoPeople()
const { person, newRoom } = demo

test("a page with a script tag and a page with modules list each other; a page that closes disappears from the other", async () => {
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

test("a status that one page sets is shown on the other as one change, not as a leave and a join", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await grace.check("[name=status][value=busy]")
  await ada.waitForSelector("#people li:nth-child(2) .dot[data-is=busy]")
  expect(await ada.locator("#feed li span").allInnerTexts()).toEqual(["Grace is busy", "Grace joined", "Ada joined"])
})

test("a page that is disconnected keeps its view, marked as stale, and is up to date once it is connected again", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await sees(grace, "Ada", "Grace you")
  await grace.click("#disconnect")
  await is(grace, "stale")
  await sees(grace, "Ada", "Grace you")
  expect(await grace.innerText("#count")).toBe("2 people were here")
  await sees(ada, "Ada you")
  await grace.click("#disconnect")
  await is(grace, "live")
  expect(await grace.innerText("#count")).toBe("2 people are here")
  await sees(grace, "Ada", "Grace you")
  await sees(ada, "Ada you", "Grace")
})

test("a status that is chosen while the page is offline stays chosen, and is sent to the others afterwards", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await grace.click("#disconnect")
  await is(grace, "stale")
  await grace.check("[name=status][value=busy]")
  await sees(ada, "Ada you")
  // Another person joins meanwhile, so that the first state after the reconnect does not have the chosen status.
  await (await person("Hedy", room)).open()
  await grace.click("#disconnect")
  await is(grace, "live")
  expect(await grace.isChecked("[name=status][value=busy]")).toBe(true)
  await ada.waitForSelector("#people [data-key=Grace] .dot[data-is=busy]")
  await grace.waitForSelector("#people [data-key=Grace] .dot[data-is=busy]")
  expect(await grace.isChecked("[name=status][value=busy]")).toBe(true)
})

test("a tab that reconnects does not undo the status that was chosen in another tab since, not even for a moment", async () => {
  const room = newRoom()
  const ada = await person("Ada", room)
  const grace = await (await person("Grace", room)).open()
  const [older, newer] = [await ada.open(), await ada.open()]
  await sees(grace, "Grace you", "Ada (2)")
  await older.check("[name=status][value=away]")
  await grace.waitForSelector("#people [data-key=Ada] .dot[data-is=away]")
  await newer.check("[name=status][value=busy]")
  await grace.waitForSelector("#people [data-key=Ada] .dot[data-is=busy]")
  // All that Grace is shown of Ada from now on.
  await grace.evaluate(() => {
    const seen: string[] = []
    const people = document.getElementById("people")!
    const look = (): void => void seen.push(people.querySelector("[data-key=Ada]")?.textContent ?? "nobody")
    new MutationObserver(look).observe(people, { childList: true })
    Object.assign(window, { seen })
  })
  await older.click("#disconnect")
  await is(older, "stale")
  await sees(grace, "Grace you", "Ada")
  await older.click("#disconnect")
  await is(older, "live")
  await sees(grace, "Grace you", "Ada (2)")
  // A message of the tab that has come back: the server has handled before it all that the tab sent when it joined.
  await older.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: true })
    document.dispatchEvent(new Event("visibilitychange"))
  })
  await grace.click("summary")
  await expect.poll(() => grace.innerText("#map")).toContain('"away": true')
  const seen = await grace.evaluate(() => (window as unknown as { seen: string[] }).seen)
  expect(new Set(seen.map((text) => text.replace(/.*since \d+:\d+/, "")))).toEqual(new Set(["busy"]))
  expect(await older.isChecked("[name=status][value=busy]")).toBe(true)
})

test("a person is away only when the pages on all devices are hidden", async () => {
  const room = newRoom()
  const ada = await person("Ada", room)
  const grace = await (await person("Grace", room)).open()
  const tabs = [await ada.open(), await ada.open()] as const
  await sees(grace, "Grace you", "Ada (2)")
  const hide = (tab: Page, isHidden: boolean): Promise<unknown> =>
    tab.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true })
      document.dispatchEvent(new Event("visibilitychange"))
    }, isHidden)
  await grace.click("summary")
  await hide(tabs[0], true)
  await expect.poll(() => grace.innerText("#map")).toContain('"away": true')
  expect(await grace.locator("#people [data-key=Ada] .dot").getAttribute("data-is")).toBe("available")
  await hide(tabs[1], true)
  await grace.waitForSelector("#people [data-key=Ada] .dot[data-is=away]")
  await hide(tabs[0], false)
  await grace.waitForSelector("#people [data-key=Ada] .dot[data-is=available]")
})

test("the row of an unchanged user is kept while others join and change", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  await sees(ada, "Ada you")
  const row = await ada.$("#people [data-key=Ada]")
  const grace = await (await person("Grace", room)).open()
  await grace.check("[name=status][value=away]")
  await ada.waitForSelector("#people [data-key=Grace] .dot[data-is=away]")
  expect(await row?.evaluate((element) => element.isConnected)).toBe(true)
})

test("any name is shown as it was typed, and is a key of the map", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  for (const name of ["__proto__", "<b>Bob</b>"]) await (await person(name, room)).open()
  await sees(ada, "Ada you", "__proto__", "<b>Bob</b>")
  await ada.click("summary")
  await ada.waitForFunction(() => document.getElementById("map")?.textContent !== "")
  expect(Object.keys(JSON.parse(await ada.innerText("#map")))).toEqual(["Ada", "__proto__", "<b>Bob</b>"])
})

test("the page fits a phone, with long names, with the JSON open, and offline", async () => {
  const page = await demo.page({ viewport: { width: 320, height: 640 } })
  const wider = (): Promise<boolean> =>
    page.evaluate(() => {
      const state = document.querySelector(".state")!
      const fits = state.scrollHeight <= document.querySelector(".line")!.clientHeight
      return document.documentElement.scrollWidth > window.innerWidth || !fits
    })
  await page.goto(`${demo.server.url}/?room=${newRoom()}`)
  expect(await wider()).toBe(false)
  await join(page, "Wolfeschlegelsteinhausenbergerdorffwelche")
  await page.click("summary")
  expect(await wider()).toBe(false)
  await page.click("#disconnect")
  await is(page, "stale")
  expect(await wider()).toBe(false)
})

test("after the server was killed and started again, both pages reconnect by themselves", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open("/modules.html")
  await sees(ada, "Ada you", "Grace")
  await demo.server.kill()
  await Promise.all([is(ada, "stale"), is(grace, "stale")])
  await demo.server.start()
  await Promise.all([is(ada, "live"), is(grace, "live")])
  for (const page of [ada, grace]) {
    await expect.poll(() => page.innerText("#count")).toBe("2 people are here")
  }
})

test("the page works without a mouse and announces its state to screen readers", async () => {
  const page = await demo.page()
  await page.goto(`${demo.server.url}/?room=${newRoom()}`)
  const focused = (): Promise<unknown> => page.evaluate(() => document.activeElement?.id)
  // The browser gives it the focus with a frame, which may come after the page is loaded.
  await expect.poll(focused).toBe("name")
  await page.keyboard.type("   ")
  await page.keyboard.press("Enter")
  expect([await page.isVisible("#room"), await focused()], "a name of blanks is refused").toEqual([false, "name"])
  await page.keyboard.type("Ada")
  await page.keyboard.press("Enter")
  await page.waitForSelector("#people li")
  expect(await focused(), "the heading has the focus, so that a screen reader reads it first").toBe("count")
  expect(await page.getByRole("status").innerText()).toBe("Live")
  await page.getByRole("radio", { name: "available" }).focus()
  await page.keyboard.press("ArrowRight")
  await page.waitForSelector("#people .dot[data-is=away]")
  expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("1 person is here")
  expect(await page.getByRole("group", { name: "You are" }).count()).toBe(1)
  expect(await page.getByRole("log", { name: "What happened" }).innerText()).toContain("Ada is away")
  await page.focus("#disconnect")
  await page.keyboard.press("Enter")
  await is(page, "stale")
  expect(await page.getByRole("status").innerText()).toBe("You are disconnected")
  expect(await focused(), "the button keeps the focus after it was pressed").toBe("disconnect")
})

test("the layout does not move when a person joins, a status is chosen, or the page disconnects", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const places = (): Promise<unknown> =>
    ada.evaluate(() =>
      Array.from(document.querySelectorAll(".card, .line, #disconnect, .choice"), (part) =>
        part.getBoundingClientRect().toJSON(),
      ),
    )
  const before = await places()
  const grace = await (await person("Grace", room)).open()
  await sees(ada, "Ada you", "Grace")
  expect(await places()).toEqual(before)
  await ada.check("[name=status][value=busy]")
  await ada.waitForSelector("#people [data-key=Ada] .dot[data-is=busy]")
  expect(await places()).toEqual(before)
  await ada.click("#disconnect")
  await is(ada, "stale")
  expect(await places()).toEqual(before)
  await grace.close()
})

test("a page shows where the others point, until they leave", async () => {
  const room = newRoom()
  const ada = await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await sees(ada, "Ada you", "Grace")
  const cursor = ada.locator(".cursor")
  let moves = 0
  await expect
    .poll(async () => {
      // Measured each time: the room grows until all that Grace sees at first is there.
      const area = (await grace.locator("#room").boundingBox())!
      // A pixel to and fro, because a pointer that rests sends nothing.
      await grace.mouse.move(area.x + area.width / 2 + (moves++ % 2), area.y + area.height / 4)
      // In one look, because a pointer that rests is soon hidden.
      return cursor.evaluateAll((all) =>
        (all as HTMLElement[]).map(
          ({ innerText, style: { left, top } }) =>
            `${innerText} ${Math.round(parseFloat(left))}% ${Math.round(parseFloat(top))}%`,
        ),
      )
    })
    .toEqual(["Grace 50% 25%"])
  expect(await grace.locator(".cursor").count()).toBe(0)
  await grace.close()
  await expect.poll(() => cursor.count()).toBe(0)
})

test("the stack of avatars begins with oneself, shows seven people, and counts the others", async () => {
  const room = newRoom()
  const names = ["Ada", "Bob", "Cem", "Dora", "Eve", "Finn", "Grace", "Hedy", "Ida"]
  for (const name of names) await (await person(name, room)).open()
  const zoe = await (await person("Zoe", room)).open()
  const stack = (): Promise<string[]> => zoe.locator("#stack .avatar").allInnerTexts()
  await expect.poll(stack).toEqual(["Z", "A", "B", "C", "D", "E", "F", "+3"])
})

test("the log tells those who were here before from those who join", async () => {
  const room = newRoom()
  await (await person("Ada", room)).open()
  const grace = await (await person("Grace", room)).open()
  await (await person("Hedy", room)).open()
  await sees(grace, "Ada", "Grace you", "Hedy")
  const lines = await grace.locator("#feed li span").allInnerTexts()
  expect(lines).toEqual(["Hedy joined", "Grace joined", "Ada was here before you"])
})

test("the link of the room is copied, with the room in it", async () => {
  const room = newRoom()
  const page = await (await person("Ada", room)).open()
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"])
  // It says so for 3 s, which a look from outside may miss on a busy machine.
  await page.evaluate(() => {
    const button = document.getElementById("copy-link")!
    const said: unknown[] = []
    new MutationObserver(() => said.push(button.textContent)).observe(button, { childList: true })
    Object.assign(window, { said })
  })
  await page.click("#copy-link")
  await expect.poll(() => page.evaluate(() => (window as unknown as { said: string[] }).said[0])).toBe("Copied")
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${demo.server.url}/?room=${room}`)
})

test("a page that is entered while the server is down says so, and joins when it is up", async () => {
  const page = await demo.page()
  await page.goto(`${demo.server.url}/?room=${newRoom()}`)
  await demo.server.kill()
  await page.fill("#name", "Ada")
  await page.click('text="Join"')
  await expect.poll(() => page.innerText("#state")).toBe("The server does not answer, trying again…")
  await demo.server.start()
  await expect.poll(() => page.innerText("#state")).toBe("Live")
  expect(await page.innerText("#count")).toBe("1 person is here")
})

test.each([
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["forced colours", { forcedColors: "active" }],
] as const)("axe finds nothing at the entry and in the room, in %s", async (_, look) => {
  const page = await demo.page(look)
  const room = newRoom()
  await (await person("Ada", room)).open()
  await page.goto(`${demo.server.url}/?room=${room}&people=30`)
  await page.waitForSelector("#look[data-is=live]")
  expect(await axeViolations(page)).toEqual([])
  await join(page, "Ada")
  await page.waitForSelector("#people.many .mark")
  expect(await axeViolations(page)).toEqual([])
})
