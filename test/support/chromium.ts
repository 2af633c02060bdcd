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

/** Starts the system's Chromium, headless. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: find("chromium") ?? "", args: ARGUMENTS })
}
