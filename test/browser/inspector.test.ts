/** The inspector in a real Chromium, with the published modules and a real server. */
import type { Browser } from "playwright"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { axeViolations } from "../support/axe.ts"
import { startChromium } from "../support/chromium.ts"
import { bundleInspector, openInspected, type InspectedPage } from "./inspector-page.ts"

let browser: Browser
let script: string
beforeAll(async () => {
  ;[browser, script] = await Promise.all([startChromium(), bundleInspector()])
})
afterAll(() => browser?.close())

/** Opens a page that is inspected. At the end it must not have logged an error. */
async function inspected(
  options = "{ open: true }",
): Promise<InspectedPage & { names(): Promise<string[]>; join(key: string, me?: object): Promise<void> }> {
  const opened = await openInspected(browser, script)
  onTestFinished(async () => {
    await opened.close()
    expect(opened.errors).toEqual([])
  })
  await opened.page.evaluate(`window.inspector = inspect(connection, ${options})`)
  return {
    ...opened,
    names: () => opened.page.locator("rollcall-inspector .users .name").allInnerTexts(),
    async join(key, me = { name: key }) {
      await opened.user(key).room("rooms:1", { me }).ready
    },
  }
}

const tab = (name: string): string => `rollcall-inspector [role=tab]:has-text("${name}")`
const button = (name: string): string => `rollcall-inspector button:text-is("${name}")`
const status = "rollcall-inspector .status"

test("shows the users of rooms that were joined before, and follows their changes", async () => {
  const { page, names, join, user } = await inspected()
  await expect.poll(names).toEqual(["me"])
  await join("ada", { name: "Ada" })
  await expect.poll(names).toEqual(["me", "ada"])
  const again = user("ada").room<{ status?: string }>("rooms:1", { me: { status: "busy" } }, { updateThrottleMs: 0 })
  await again.ready
  const ada = page.locator("rollcall-inspector .users .row", { hasText: "ada" })
  await expect.poll(() => ada.innerText()).toContain("×2")
  await again.update({ status: "away" })
  await expect.poll(() => ada.innerText()).toContain("away")
  await ada.click()
  const detail = page.locator("rollcall-inspector .detail")
  await expect
    .poll(() => detail.innerText())
    .toMatch(/Device 1 of 2[\s\S]*phx_ref[\s\S]*Device 2 of 2[\s\S]*away[\s\S]*phx_ref_prev/)
  await page.evaluate(`join("rooms:2")`)
  await expect.poll(() => page.locator("rollcall-inspector .rooms .row").allInnerTexts()).toHaveLength(2)
})

test("goes back to the users of each moment, by the slider, the buttons and the timeline, and to now again", async () => {
  const { page, names, join } = await inspected()
  for (const key of ["ada", "bob", "cy"]) await join(key)
  await expect.poll(names).toEqual(["me", "ada", "bob", "cy"])
  await page.click(tab("Timeline"))
  await page.locator("rollcall-inspector .entries .row[data-kind=change]", { hasText: "+ada" }).click()
  await page.click(tab("Users"))
  await expect.poll(names).toEqual(["me", "ada"])
  await join("dora")
  expect(await names()).toEqual(["me", "ada"])
  // A message, and the change that it made.
  await page.click("rollcall-inspector [aria-label=Later]")
  await page.click("rollcall-inspector [aria-label=Later]")
  await expect.poll(names).toEqual(["me", "ada", "bob"])
  await page.locator("rollcall-inspector input[type=range]").press("Home")
  await expect.poll(async () => (await names()).length).toBeLessThanOrEqual(1)
  await page.click(button("Now"))
  await expect.poll(names).toEqual(["me", "ada", "bob", "cy", "dora"])
})

describe("faults of the network:", () => {
  test("a connection that is cut reconnects only when it is restored", async () => {
    const { page, names, join } = await inspected()
    await page.click(button("Cut"))
    await expect.poll(() => page.innerText(status)).toBe("reconnecting")
    expect(await page.evaluate("room.status")).toBe("stale")
    await join("ada")
    expect(await names()).toEqual(["me"])
    await page.click(button("Cut"))
    await expect.poll(() => page.innerText(status)).toBe("open")
    await expect.poll(names).toEqual(["me", "ada"])
  })

  test("a view that misses dropped messages heals afterwards, and the timeline shows which they were", async () => {
    const { page, names, join } = await inspected()
    await page.click(button("Drop"))
    await join("ada")
    await page.click(tab("Timeline"))
    await page.waitForSelector("rollcall-inspector .entries .row[data-kind=dropped]")
    expect(await page.evaluate("room.size")).toBe(1)
    await page.click(tab("Users"))
    await page.click(button("Drop"))
    await expect.poll(names).toEqual(["me", "ada"])
    expect(await page.evaluate("room.status")).toBe("live")
  })

  test("delayed messages arrive, in order, and later", async () => {
    const { page, names, join } = await inspected()
    await page.selectOption("rollcall-inspector .tools select", "2000")
    const began = await page.evaluate("performance.now()")
    await page.evaluate("room.onChange(() => (window.changedAt ??= performance.now()))")
    await join("ada")
    await join("bob")
    await expect.poll(names).toEqual(["me", "ada", "bob"])
    expect(await page.evaluate(`changedAt - ${String(began)}`)).toBeGreaterThanOrEqual(2000)
  })

  test("none outlives the inspector, of which nothing remains", async () => {
    const { page } = await inspected("{ open: false }")
    const counts = `JSON.stringify(Object.values(connection.socket.stateChangeCallbacks).map(({ length }) => length))`
    await page.evaluate("inspector.remove()")
    await page.evaluate(
      `window.before = [connection.socket.encode, connection.socket.decode, connection.socket.transport]`,
    )
    const listeners = await page.evaluate(counts)
    await page.evaluate(`window.inspector = inspect(connection, { open: true })`)
    await page.click(button("Cut"))
    await page.selectOption("rollcall-inspector .tools select", "5000")
    await page.evaluate("inspector.remove()")
    await page.waitForFunction(`connection.status === "open" && room.status === "live"`)
    expect(await page.evaluate(counts)).toBe(listeners)
    const isSame = `before.every((each, at) => each === [connection.socket.encode, connection.socket.decode, connection.socket.transport][at])`
    expect(await page.evaluate(isSame)).toBe(true)
    expect(await page.evaluate("inspector.shadowRoot.childElementCount")).toBe(0)
  })
})

test("is worked by the keyboard alone: tabs and lists by arrows, Escape back to now, to no user, and to the button", async () => {
  const { page, names, join } = await inspected("{}")
  await join("ada")
  await page.locator("rollcall-inspector .pill").press("Enter")
  const focused = (): Promise<string> => page.evaluate("inspector.shadowRoot.activeElement?.textContent ?? ''")
  await expect.poll(focused).toMatch(/^Users/)
  await expect.poll(names).toEqual(["me", "ada"])
  await page.keyboard.press("ArrowRight")
  await expect.poll(focused).toMatch(/^Timeline/)
  // The list is filled with the next frame.
  await page.waitForSelector("rollcall-inspector .entries .row")
  await page.locator("rollcall-inspector .entries").focus()
  await page.keyboard.press("ArrowUp")
  await page.keyboard.press("Home")
  const isPast = (): Promise<number> => page.locator("rollcall-inspector .past").count()
  await expect.poll(isPast).toBe(1)
  await page.keyboard.press("Escape")
  await expect.poll(isPast).toBe(0)
  await page.click(tab("Users"))
  await page.locator("rollcall-inspector .users").focus()
  await page.keyboard.press("End")
  const detail = page.locator("rollcall-inspector .detail h2")
  await expect.poll(() => detail.allInnerTexts()).toHaveLength(1)
  expect(await page.getAttribute("rollcall-inspector .users", "aria-activedescendant")).toBe("users-1")
  await page.keyboard.press("Escape")
  await expect.poll(() => detail.count()).toBe(0)
  await page.keyboard.press("Escape")
  await expect.poll(() => page.evaluate("inspector.shadowRoot.activeElement?.className")).toBe("pill")
})

test("shows no secret, nothing that redact replaces, and what users have typed only as text", async () => {
  const { page, names, join } = await inspected(
    `{ open: true, redact: (name, value) => (name === "email" ? "…" : value) }`,
  )
  const evil = "<img src=x onerror=\"document.title='hacked'\">"
  await join(evil, { name: evil, email: "ada@example.org" })
  await expect.poll(names).toEqual(["me", evil])
  // What comes with the reconnect would move the rows under the pointer.
  await page.evaluate(`new Promise((isBack) => {
    let wasLost = false
    room.subscribe(() => {
      wasLost ||= room.status === "stale"
      if (wasLost && room.status === "live") isBack()
    })
    connection.socket.conn.close()
  })`)
  await page.locator("rollcall-inspector .users .row").nth(1).click()
  await page.click(tab("Timeline"))
  const row = "rollcall-inspector .entries .row"
  const size = async (): Promise<number> => Number(await page.locator(row).first().getAttribute("aria-setsize"))
  await expect.poll(size).toBeGreaterThan(2)
  const list = page.locator("rollcall-inspector .entries")
  for (let at = 1; at <= (await size()); at += 1) {
    // By keyboard, because a row that is not visible is no element.
    await list.press(at === 1 ? "Home" : "ArrowDown")
    await page.waitForSelector(`${row}[aria-selected=true][aria-posinset="${at}"]`)
    const text = await page.evaluate("inspector.shadowRoot.textContent")
    expect(text).not.toMatch(/t-secret|ada@example/)
  }
  expect(await page.title()).toBe("Inspected")
  expect(await page.locator("rollcall-inspector img").count()).toBe(0)
})

test.for([
  ["light", 1280, "none"],
  ["dark", 1280, "none"],
  ["light", 320, "none"],
  ["dark", 320, "none"],
  ["light", 1280, "active"],
  ["dark", 1280, "active"],
] as const)(
  "axe finds nothing: %s, %i pixels wide, forced colors %s, as a button and with each view",
  async (given) => {
    const [colorScheme, width, forcedColors] = given
    const { page, join, names } = await inspected("{}")
    await page.emulateMedia({ colorScheme, forcedColors, reducedMotion: "reduce" })
    await page.setViewportSize({ width, height: 700 })
    for (const key of ["ada", "bob"]) await join(key)
    expect(await axeViolations(page)).toEqual([])
    await page.click("rollcall-inspector .pill")
    await expect.poll(names).toHaveLength(3)
    await page.locator("rollcall-inspector .users .row").nth(1).click()
    await page.waitForSelector("rollcall-inspector .detail h2")
    expect(await axeViolations(page)).toEqual([])
    await page.click(tab("Timeline"))
    await page.locator("rollcall-inspector .entries .row").last().click()
    await page.waitForSelector("rollcall-inspector .past")
    expect(await axeViolations(page)).toEqual([])
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true)
  },
)

test("with forced colors, every control has an edge, and every state is a mark or a text besides its color", async () => {
  const { page, names, user } = await inspected("{ open: true }")
  await page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" })
  await page.evaluate(`room.leave(), (window.room = join("rooms:2", { keepLeftMs: 600000 })).ready`)
  const ada = user("ada")
  await ada.room("rooms:2").ready
  await expect.poll(names).toContain("ada")
  ada.disconnect()
  const row = page.locator("rollcall-inspector .users .row", { hasText: "ada" })
  await expect.poll(() => row.innerText()).toMatch(/left/)
  await page.click(button("Drop"))
  const withoutEdge =
    await page.evaluate(`Array.from(inspector.shadowRoot.querySelectorAll("button, select, input:not([type=range])"))
    .filter((control) => control.checkVisibility())
    .filter((control) => {
      const { borderBottomWidth, borderBottomColor, backgroundColor } = getComputedStyle(control)
      return parseFloat(borderBottomWidth) < 1 || borderBottomColor === backgroundColor
    })
    .map(({ textContent }) => textContent)`)
  expect(withoutEdge).toEqual([])
  // What is chosen or pressed has another background than what is not.
  const backgrounds = (selector: string): Promise<string[]> =>
    page.evaluate(
      `Array.from(inspector.shadowRoot.querySelectorAll(${JSON.stringify(selector)}), (each) => getComputedStyle(each).backgroundColor)`,
    )
  await row.click()
  await expect.poll(async () => new Set(await backgrounds(".users .row")).size).toBe(2)
  await expect.poll(async () => new Set(await backgrounds("[role=tab]")).size).toBe(2)
  await expect.poll(async () => new Set(await backgrounds("button[aria-pressed]")).size).toBe(2)
  await expect.poll(() => page.innerText(status)).toMatch(/open/)
  // What stands on a chosen row or tab has the two colors of the selection.
  const pairs = (): Promise<boolean[]> =>
    page.evaluate(`Array.from(inspector.shadowRoot.querySelectorAll("[aria-selected=true] :is(.badge, .avatar)"), (each) => {
    const row = getComputedStyle(each.closest("[aria-selected]"))
    const { color, backgroundColor } = getComputedStyle(each)
    return color === row.backgroundColor && backgroundColor === row.color
  })`)
  // Those of the room, of the tab and of the user. A row has another background under the pointer before it is chosen, too.
  await expect.poll(pairs).toEqual([true, true, true])
})

test("a steady stream of changes lets nothing grow, and announces a moment of the past once", async () => {
  const { page } = await inspected("{ open: true, maxEntries: 100 }")
  await page.click(tab("Timeline"))
  await page.waitForSelector("rollcall-inspector .entries .row")
  await page.evaluate(`{
    const channel = connection.socket.channels[0]
    let n = 0
    const change = () => channel.trigger("presence_diff", { joins: { ["user-" + (n++ % 20)]: { metas: [{ phx_ref: "n" + n }] } }, leaves: {} })
    /** Sends ten changes in each of some frames, and resolves to what the inspector has done meanwhile. */
    window.stream = (frames) => new Promise((resolve) => {
      const root = inspector.shadowRoot
      let announced = 0
      let most = 0
      const live = new MutationObserver(() => announced++)
      for (const each of root.querySelectorAll("[aria-live]")) live.observe(each, { childList: true, characterData: true, subtree: true })
      let left = frames
      const step = () => {
        most = Math.max(most, root.querySelectorAll("*").length)
        if (left-- <= 0) return resolve({ announced, most, entries: Number(root.querySelector(".entries .row").getAttribute("aria-setsize")) })
        for (let times = 0; times < 10; times++) change()
        requestAnimationFrame(step)
      }
      step()
    })
  }`)
  type Seen = { announced: number; most: number; entries: number }
  const stream = (frames: number): Promise<Seen> => page.evaluate(`stream(${frames})`)
  // Until the timeline is full.
  await stream(20)
  const first = await stream(10)
  expect(first.entries).toBe(100)
  const later = await stream(100)
  expect(later.entries).toBe(100)
  expect(later.most).toBeLessThanOrEqual(first.most + 20)
  await page.locator("rollcall-inspector .entries .row").last().click()
  await page.waitForSelector("rollcall-inspector .past")
  // It is announced that the moment is not kept any more, and nothing else.
  expect((await stream(3)).announced).toBe(0)
  expect((await stream(30)).announced).toBeLessThanOrEqual(1)
})

test("of ten thousand users, only the visible ones are elements, and a hundred changes are few frames", async () => {
  const { page } = await inspected("{}")
  await page.evaluate(`{
    const metas = (n) => [{ phx_ref: "r" + n, name: "User " + n }]
    const channel = connection.socket.channels[0]
    channel.trigger("presence_state", Object.fromEntries(Array.from({ length: 10000 }, (_, n) => ["user-" + n, { metas: metas(n) }])), null, channel.joinRef())
    inspector.open = true
  }`)
  const rows = page.locator("rollcall-inspector .users .row")
  await page.waitForSelector("rollcall-inspector .users .row")
  await page.locator("rollcall-inspector .users").press("End")
  await expect.poll(() => rows.last().innerText()).toContain("user-9999")
  expect(await rows.count()).toBeLessThan(40)
  const drawn = await page.evaluate(`new Promise((resolve) => {
    let drawn = 0
    const badge = inspector.shadowRoot.querySelector("[role=tab] .badge")
    new MutationObserver(() => drawn++).observe(badge, { childList: true, characterData: true, subtree: true })
    for (let n = 0; n < 100; n++)
      connection.socket.channels[0].trigger("presence_diff", { joins: { ["new-" + n]: { metas: [{ phx_ref: "n" + n }] } }, leaves: {} })
    requestAnimationFrame(() => requestAnimationFrame(() => resolve([drawn, badge.textContent])))
  })`)
  expect(drawn).toEqual([1, "10100"])
})

test("a plugin of TanStack Devtools shows it in the given element, in the theme of the devtools, until it is destroyed", async () => {
  const { page } = await inspected("{}")
  const shown = await page.evaluate(`{
    inspector.remove()
    const parent = document.querySelector("main").appendChild(document.createElement("div"))
    parent.style.height = "250px"
    window.plugin = rollcallDevtools(connection)
    plugin.render(parent, "dark")
    plugin.render(parent, { theme: "light", devtoolsOpen: true })
    ;[parent.innerHTML.replace(/ (class|style)="[^"]*"/g, ""), parent.firstChild.offsetHeight]
  }`)
  expect(shown).toEqual([`<rollcall-inspector inline="" theme="light"></rollcall-inspector>`, 250])
  await page.waitForSelector("rollcall-inspector .users .row")
  await page.evaluate("plugin.destroy('rollcall')")
  expect(await page.locator("rollcall-inspector").count()).toBe(0)
})

test("a hundred changes at once rewrite only visible rows, and each of them once a frame", async () => {
  const { page } = await inspected("{ open: true }")
  await page.evaluate(`{
    const channel = connection.socket.channels[0]
    let refs = 0
    const users = (from, count) => Object.fromEntries(Array.from({ length: count }, (_, n) =>
      ["user-" + (from + n), { metas: [{ phx_ref: "r" + refs++, x: refs }] }]))
    channel.trigger("presence_state", users(0, 200), null, channel.joinRef())
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve()))
    /** Resolves to how often each row was written for a hundred changes. */
    window.change = async () => {
      // What is drawn for something before.
      await frame(), await frame()
      const written = new Map()
      const seen = new MutationObserver((records) => {
        for (const { target } of records) if (target.classList.contains("row")) written.set(target, (written.get(target) ?? 0) + 1)
      })
      seen.observe(inspector.shadowRoot, { childList: true, subtree: true })
      for (let n = 0; n < 100; n++) channel.trigger("presence_diff", { joins: users(n % 20, 1), leaves: {} })
      await frame(), await frame()
      seen.disconnect()
      return [...written.values()]
    }
  }`)
  for (const name of ["Users", "Timeline"]) {
    await page.click(tab(name))
    await page.waitForSelector(`rollcall-inspector .${name === "Users" ? "users" : "entries"} .row`)
    const written = await page.evaluate<number[]>("change()")
    expect(written.length).toBeGreaterThan(0)
    expect(written.length).toBeLessThanOrEqual(await page.locator("rollcall-inspector .row").count())
    // In two frames.
    expect(Math.max(...written)).toBeLessThanOrEqual(2)
  }
})
