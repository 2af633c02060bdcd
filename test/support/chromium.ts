import { chromium } from "playwright"
import type { Browser } from "playwright"
// @ts-expect-error it is a script that runs before anything is built, in plain JavaScript
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

/** A real Chromium, headless, as the system has it. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: find("chromium") as string, args: ARGUMENTS })
}
