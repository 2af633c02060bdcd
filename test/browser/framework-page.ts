/** A page of a UI framework in Chromium, and the real server of its room. */
import type { Browser } from "playwright"
import { expect, onTestFinished } from "vitest"
import { serve } from "../support/serve.ts"

/**
 * Opens a page that runs `script`, with what a server has `rendered` in it. The script reads the `name` of its scene from the URL.
 * Records joins of rooms, users of sockets, and what the page's console complains of.
 */
export async function openFrameworkPage(browser: Browser, script: string, name: string, rendered = "") {
  const joins: string[] = []
  const sockets: string[] = []
  const html = `<!doctype html><link rel="icon" href="data:,"><div id="app">${rendered}</div><script type="module" src="/page.js"></script>`
  const { server, url } = await serve<{ user: string }>(
    (server) => {
      server.socket("/socket", {
        connect: ({ params: { user = "" } }) => {
          sockets.push(user)
          return { user }
        },
      })
      server.channel("rooms:*", {
        join: (topic) => {
          joins.push(topic)
          return { ok: {} }
        },
        presence: ({ assigns }) => ({ key: assigns.user }),
      })
    },
    {},
    {
      request: (request, response) => {
        const isScript = request.url === "/page.js"
        response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html").end(isScript ? script : html)
      },
    },
  )
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  const complaints: string[] = []
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  await page.goto(`${url.replace("ws:", "http:")}/?${name}`)
  const shows = async (...keys: string[]): Promise<void> => {
    await expect.poll(() => page.locator(".keys").allInnerTexts()).toEqual(keys)
  }
  return { page, server, joins, sockets, complaints, shows }
}
