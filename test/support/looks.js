/** How a page looks to different people: on a phone and on a desktop, light, dark, and with the colours that a person has forced. */
import axe from "axe-core"

/** @typedef {import("playwright").Page} Page */

const SIZES = /** @type {const} */ ({ phone: { width: 390, height: 844 }, desktop: { width: 1440, height: 900 } })
const COLOURS = /** @type {const} */ ({
  light: { colorScheme: "light", forcedColors: "none" },
  dark: { colorScheme: "dark", forcedColors: "none" },
  forced: { colorScheme: "light", forcedColors: "active" },
})

export const LOOKS = Object.entries(SIZES).flatMap(([device, viewport]) =>
  Object.entries(COLOURS).map(([colours, media]) => ({ name: `${device}, ${colours}`, viewport, media })),
)

/** The most that may move of a page that is loaded: "good" in Core Web Vitals is 0.1. */
const MAX_SHIFT = 0.05

/** Measures from now on, in each page that is loaded, how much moves without an input. */
export function measureShifts(/** @type {Page} */ page) {
  return page.addInitScript(() => {
    let moved = 0
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { value, hadRecentInput } = /** @type {{ value: number, hadRecentInput: boolean } & PerformanceEntry} */ (
          entry
        )
        if (!hadRecentInput) moved += value
      }
    }).observe({ type: "layout-shift", buffered: true })
    Object.defineProperty(window, "moved", { get: () => moved })
  })
}

/** Returns what axe finds, each as its rule and the element. Works beside a content security policy. */
async function axeFaults(/** @type {Page} */ page) {
  await page.evaluate(axe.source)
  return page.evaluate(async () => {
    const { violations } = await /** @type {{ axe: typeof axe }} */ (/** @type {unknown} */ (window)).axe.run()
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    )
  })
}

/**
 * Shows a page in all looks, and returns what is wrong in each: what axe finds, what is wider than the page, and, if the page was
 * loaded after `measureShifts`, what has moved.
 *
 * @param {Page} page
 * @param {(name: string) => Promise<unknown>} ready called in each look before it is judged: loads the page again, or takes a picture
 */
export async function faultsInAllLooks(page, ready = async () => {}) {
  const faults = /** @type {string[]} */ ([])
  for (const { name, viewport, media } of LOOKS) {
    await page.setViewportSize(viewport)
    await page.emulateMedia({ ...media, reducedMotion: "reduce" })
    await ready(name)
    const { wider, moved } = await page.evaluate(() => ({
      wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      moved: /** @type {{ moved?: number }} */ (/** @type {unknown} */ (window)).moved ?? 0,
    }))
    if (wider > 0) faults.push(`${name}: wider than the page by ${wider} px`)
    if (moved >= MAX_SHIFT) faults.push(`${name}: moved by ${moved.toFixed(3)}`)
    for (const fault of await axeFaults(page)) faults.push(`${name}: ${fault}`)
  }
  return faults
}

/**
 * Goes through a page with the Tab key, and returns what cannot be reached, and what does not show that it has the focus.
 *
 * @param {Page} page
 */
export async function faultsOfKeyboard(page) {
  // Elements that Tab should reach. Of radio buttons, one of each group; of what is closed, nothing.
  const count = await page.evaluate(() => {
    const parts = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")
    const groups = new Set()
    return [...parts].filter((part) => {
      if (!part.checkVisibility({ visibilityProperty: true }) || /** @type {HTMLButtonElement} */ (part).disabled)
        return false
      const isRadio = part instanceof HTMLInputElement && part.type === "radio"
      if (isRadio && groups.has(part.name)) return false
      if (isRadio) groups.add(part.name)
      part.toggleAttribute("data-to-reach", true)
      return true
    }).length
  })
  await page.evaluate(() => {
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
    getSelection()?.removeAllRanges()
  })
  const faults = []
  for (let presses = 0; presses < count + 2; presses += 1) {
    await page.keyboard.press("Tab")
    const fault = await page.evaluate(() => {
      const at = document.activeElement
      if (at === null || at === document.body) return ""
      at.removeAttribute("data-to-reach")
      const radios = at instanceof HTMLInputElement && at.type === "radio" ? document.getElementsByName(at.name) : []
      for (const radio of radios) radio.removeAttribute("data-to-reach")
      // The label of a radio button may show the focus of the button.
      const shows = [at, at.parentElement, at.nextElementSibling].some((part) => {
        if (!part) return false
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(part)
        return (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none"
      })
      return shows ? "" : `shows no focus: ${at.outerHTML.slice(0, 100)}`
    })
    if (fault !== "") faults.push(fault)
  }
  const left = await page
    .locator("[data-to-reach]")
    .evaluateAll((parts) => parts.map((part) => part.outerHTML.slice(0, 100)))
  return [...faults, ...left.map((html) => `is not reached by Tab: ${html}`)]
}
