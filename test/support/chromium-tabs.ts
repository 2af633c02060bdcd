import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { chromium, type BrowserContext } from "playwright"
import { TIMEOUT_MS } from "./chromium.ts"
import { find } from "./needs.js"

/** A Chromium with one window. */
export interface ChromiumTabs {
  /** Its pages are the tabs of the window: only the one that was brought to the front last is visible. */
  readonly tabs: BrowserContext
  close(): Promise<void>
}

/**
 * Starts the system's Chromium, headless, as a user has it. Playwright's own pages always believe that they are in front and have the
 * focus, and never come back from the back/forward cache.
 */
export async function startChromiumTabs(): Promise<ChromiumTabs> {
  const profile = await mkdtemp(join(tmpdir(), "tabs-"))
  const args = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
  ]
  const process = spawn(find("chromium") ?? "", [...args, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  const ended = once(process, "exit")
  let endpoint: string | undefined
  for await (const line of createInterface({ input: process.stderr })) {
    endpoint = /DevTools listening on (\S+)/.exec(line)?.[1]
    if (endpoint) break
  }
  if (!endpoint) throw new Error("expected Chromium to print where its DevTools listen, got nothing")
  process.stderr.resume()
  const browser = await chromium.connectOverCDP(endpoint, { noDefaults: true, timeout: TIMEOUT_MS })
  const tabs = browser.contexts()[0]!
  tabs.setDefaultTimeout(TIMEOUT_MS)
  return {
    tabs,
    async close() {
      process.kill()
      await ended
      await rm(profile, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}
