/** People who open the page of an example, each in a browser profile of its own, and what their pages show. */
import assert from "node:assert/strict"
import { join } from "node:path"
import { faultsInAllLooks, faultsOfKeyboard, measureShifts } from "../../support/looks.js"

const PAGE_TIMEOUT_MS = 300_000
/** A folder for a picture of each look. */
const PICTURES = process.env["PICTURES"]

/**
 * Opens a page as one person, and collects what it complains about.
 *
 * @param {import("playwright").Browser} browser
 * @param {string} url
 */
export async function openPage(browser, url) {
  const context = await browser.newContext()
  const page = await context.newPage()
  page.setDefaultTimeout(PAGE_TIMEOUT_MS)
  const complaints = /** @type {string[]} */ ([])
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  await measureShifts(page)
  await page.goto(url)
  return { page, complaints, close: () => context.close() }
}

/** Waits until the avatar stack of a page consists of these people, in any order. */
export async function showsPeople(/** @type {import("playwright").Page} */ page, /** @type {string[]} */ ...names) {
  const stack = `[aria-label="People here"] > [title]`
  const wanted = names.toSorted().join(", ")
  await page.waitForFunction(
    ([stack, wanted]) =>
      [...document.querySelectorAll(stack)]
        .map((avatar) => avatar.getAttribute("title"))
        .sort()
        .join(", ") === wanted,
    [stack, wanted],
  )
}

/**
 * Ada and Grace open an example, see each other, use it, and Grace goes. Ada's page is judged in all looks, and by the Tab key.
 *
 * @param {import("playwright").Browser} browser
 * @param {string} url
 * @param {{
 *   enter?: ((page: import("playwright").Page, name: string) => Promise<unknown>) | undefined,
 *   use?: ((ada: import("playwright").Page, grace: import("playwright").Page) => Promise<unknown>) | undefined,
 *   query?: string,
 *   looks?: string | undefined,
 * }} options looks: the name of the page's pictures; without one, the page is not judged
 */
export async function twoPeople(browser, url, { enter, use, query = "", looks } = {}) {
  const ada = await openPage(browser, `${url}/?name=Ada${query}`)
  const grace = await openPage(browser, `${url}/?name=Grace`)
  try {
    await enter?.(ada.page, "Ada")
    await enter?.(grace.page, "Grace")
    await Promise.all([showsPeople(ada.page, "Ada", "Grace"), showsPeople(grace.page, "Ada", "Grace")])
    await use?.(ada.page, grace.page)
    if (looks !== undefined) assert.deepEqual(await faultsOf(ada.page, looks), [])
    await grace.close()
    await showsPeople(ada.page, "Ada")
    assert.deepEqual([...ada.complaints, ...grace.complaints], [])
  } catch (error) {
    const seen = [...ada.complaints, ...grace.complaints].join("\n")
    throw seen === "" ? error : new Error(`${String(error)}\nin the console:\n${seen}`, { cause: error })
  } finally {
    await ada.close()
    await grace.close()
  }
}

async function faultsOf(/** @type {import("playwright").Page} */ page, /** @type {string} */ looks) {
  const take = async (/** @type {string} */ name) => {
    const file = `${looks}-${name.replace(", ", "-")}.png`
    if (PICTURES) await page.screenshot({ path: join(PICTURES, file), animations: "disabled" })
  }
  return [...(await faultsInAllLooks(page, take)), ...(await faultsOfKeyboard(page))]
}
