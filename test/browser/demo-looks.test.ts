/** Each page of the demo in six looks: phone and desktop, light, dark, and forced colours. */
import { expect, test } from "vitest"
import { faultsInAllLooks, faultsOfKeyboard, measureShifts } from "../support/looks.js"
import { demoPeople, join } from "./demo-people.ts"

const demo = demoPeople()

const PAGES: readonly (readonly [name: string, path: string, shown: string])[] = [
  ["the entry", "/?room=empty", "#look[data-is=live]"],
  ["the room", "/?room=full&people=20", "#people.many li:nth-child(20)"],
  ["the services", "/services.html", "#workers .worker"],
  ["the cluster", "/cluster.html#scene=shared&step=2", "#cluster:not([aria-busy]) .person"],
]

test.each(PAGES)(
  "%s: nothing moves, nothing is too wide, axe finds nothing, and Tab reaches all",
  async (name, path, shown) => {
    const page = await demo.page()
    await measureShifts(page)
    await page.goto(demo.server.url + path)
    if (name === "the room") await join(page, "Ada")
    const faults = await faultsInAllLooks(page, async () => {
      await page.reload()
      await page.waitForSelector(shown)
    })
    expect([...faults, ...(await faultsOfKeyboard(page))]).toEqual([])
  },
)
