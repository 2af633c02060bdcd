/**
 * Looks at pages of the site as different readers see them: on a phone and on a desktop, in light, in dark and in forced colours.
 *
 * No page may be wider than its window, move after it has been shown, or have a fault that axe finds. By the Tab key one reaches
 * the link that skips the navigation, and sees what has the focus.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import axe from "axe-core"

const WIDTHS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } }
/** @type {Record<string, NonNullable<Parameters<import("playwright").Page["emulateMedia"]>[0]>>} */
const MODES = {
  light: { colorScheme: "light", forcedColors: "none" },
  dark: { colorScheme: "dark", forcedColors: "none" },
  forced: { colorScheme: "dark", forcedColors: "active" },
}
/** What Google calls good is below 0.1. */
const MAX_SHIFT = 0.05
/** How many presses of Tab are followed. */
const TABS = 30
/** A longer screenshot cannot be looked at. Its width and height in pixels. */
const MAX_HEIGHT = 6000

/**
 * @param {(options: object) => Promise<{ page: import("playwright").Page, close: () => Promise<void> }>} openContext
 * @param {{ origin: string, paths: readonly string[], faults: string[], pictures: string | undefined }} options
 */
export async function checkModes(openContext, { origin, paths, faults, pictures }) {
  if (pictures !== undefined) mkdirSync(pictures, { recursive: true })
  for (const [width, viewport] of Object.entries(WIDTHS)) {
    const { page, close } = await openContext({ viewport, reducedMotion: "reduce" })
    await page.addInitScript(countShifts)
    for (const path of paths) {
      await page.emulateMedia({ colorScheme: "light", forcedColors: "none" })
      await page.goto(`${origin}/${path}`, { waitUntil: "networkidle" })
      const report = (/** @type {string} */ mode, /** @type {string[]} */ found) =>
        faults.push(...found.map((fault) => `/${path} (${width}, ${mode}): ${fault}`))
      // The page of the cluster is no page of VitePress.
      if (!path.endsWith(".html")) report("light", await walk(page))
      const shift = await page.evaluate(() => /** @type {any} */ (window).layoutShift)
      if (shift > MAX_SHIFT) report("light", [`expected a layout shift of at most ${MAX_SHIFT}, got ${shift}`])
      // Pages of the API reference are long, and alike. What is right in one mode is right in the others.
      const modes = Object.entries(MODES).slice(0, path.startsWith("api/") ? 1 : undefined)
      for (const [mode, media] of modes) {
        await page.emulateMedia(media)
        // A page follows the colours of the system by a listener, which is called in the next frame.
        await page.evaluate(() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown))))
        report(mode, await faultsOf(page, mode === "light"))
        if (pictures === undefined) continue
        const height = await page.evaluate(() => document.documentElement.scrollHeight)
        const name = (path || "index").replaceAll("/", "-").replace(".html", "")
        await page.screenshot({
          path: join(pictures, `${name}-${width}-${mode}.png`),
          fullPage: true,
          ...(height > MAX_HEIGHT && { clip: { x: 0, y: 0, width: viewport.width, height: MAX_HEIGHT } }),
        })
      }
    }
    await close()
  }
}

/** Runs in the page. Sums up how far its content moved without an input of the reader. */
function countShifts() {
  const counted = /** @type {any} */ (window)
  counted.layoutShift = 0
  new PerformanceObserver((list) => {
    for (const entry of /** @type {any[]} */ (list.getEntries()))
      if (!entry.hadRecentInput) counted.layoutShift += entry.value
  }).observe({ type: "layout-shift", buffered: true })
}

/**
 * Returns the faults of a page in its present form.
 * @param {import("playwright").Page} page
 * @param {boolean} isFirst whether no other mode of the page was looked at: all other rules than contrast find the same in each
 * @returns {Promise<string[]>}
 */
async function faultsOf(page, isFirst) {
  if (isFirst) await page.addScriptTag({ content: axe.source })
  return page.evaluate(
    async (rules) => {
      const overflow = document.documentElement.scrollWidth - innerWidth
      // An icon is a mask over a background, which forced colours remove.
      const canvas = getComputedStyle(document.body).backgroundColor
      const icons = Array.from(document.querySelectorAll("[class*='vpi-'], .vp-icon")).filter((icon) => {
        const { backgroundColor, maskImage } = getComputedStyle(icon)
        return icon.getClientRects().length > 0 && maskImage !== "none" && backgroundColor === canvas
      })
      const options = rules === undefined ? {} : { runOnly: rules }
      const { violations } = await /** @type {any} */ (window).axe.run(options)
      return [
        ...(overflow > 0 ? [`${overflow} px wider than the window`] : []),
        ...icons.map((icon) => `${icon.className} cannot be seen`),
        ...violations.flatMap(({ id, nodes }) =>
          nodes.map(({ html, any }) => `${id}: ${html.slice(0, 200)} ${any[0]?.message ?? ""}`),
        ),
      ]
    },
    isFirst ? undefined : ["color-contrast"],
  )
}

/**
 * Walks through a page by the Tab key.
 * @param {import("playwright").Page} page
 * @returns {Promise<string[]>} what is wrong
 */
async function walk(page) {
  const faults = []
  await page.keyboard.press("Tab")
  const first = await focused(page)
  if (!/skip to content/i.test(first.text))
    faults.push(`expected the first Tab to reach a link that skips, got ${first.text}`)
  if (!first.isVisible) faults.push("the link that skips the navigation cannot be seen when it has the focus")
  for (let press = 0; press < TABS; press += 1) {
    await page.keyboard.press("Tab")
    const { text, isVisible, isMarked } = await focused(page)
    if (text === "") break // the end of the page
    if (!isVisible) faults.push(`${text} has the focus and cannot be seen`)
    if (!isMarked) faults.push(`nothing shows that ${text} has the focus`)
  }
  return faults
}

/** Returns what has the focus, and how it shows. @param {import("playwright").Page} page */
function focused(page) {
  return page.evaluate(() => {
    const element = document.activeElement
    if (!(element instanceof HTMLElement || element instanceof SVGElement) || element === document.body)
      return { text: "", isVisible: false, isMarked: false }
    const { width, height, bottom, top } = element.getBoundingClientRect()
    const style = getComputedStyle(element)
    return {
      text: (element.textContent?.trim() || element.getAttribute("aria-label") || element.outerHTML).slice(0, 60),
      isVisible: width > 1 && height > 1 && bottom > 0 && top < innerHeight && style.visibility === "visible",
      isMarked:
        (style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none",
    }
  })
}
