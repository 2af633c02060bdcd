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

/** Starts the system's Chromium, headless. Playwright turns the back/forward cache off, unless it is asked for. */
export function startChromium({ backForwardCache = false } = {}): Promise<Browser> {
  const executablePath = find("chromium") ?? ""
  const ignoreDefaultArgs = backForwardCache ? ["--disable-back-forward-cache"] : []
  return chromium.launch({ executablePath, args: ARGUMENTS, ignoreDefaultArgs })
}
