import { chromium } from "playwright"
import type { Browser } from "playwright"
import { find } from "./needs.js"

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/**
 * How long a page may take for anything that a test waits for: as long as any other event, instead of Playwright's 30 s. On a
 * busy machine, the start alone may take seconds.
 */
export const TIMEOUT_MS = 60_000

/** Starts the system's Chromium, headless. Playwright turns the back/forward cache off, unless it is asked for. */
export async function startChromium({ backForwardCache = false } = {}): Promise<Browser> {
  const executablePath = find("chromium") ?? ""
  const ignoreDefaultArgs = backForwardCache ? ["--disable-back-forward-cache"] : []
  const browser = await chromium.launch({ executablePath, args: ARGUMENTS, ignoreDefaultArgs, timeout: TIMEOUT_MS })
  // `newPage` makes a context, too.
  browser.on("context", (context) => context.setDefaultTimeout(TIMEOUT_MS))
  return browser
}
