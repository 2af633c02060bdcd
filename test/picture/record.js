// Records the README's moving picture from the demo, light and dark, to .github/pictures.
// npm run build && npm run picture
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { chromium } from "playwright"
import { freePort } from "../support/free-port.js"
import { find } from "../support/needs.js"
import { HEIGHT, setUp, WIDTH } from "./camera.js"
import { gifOf } from "./gif.js"

/** Starts a server of its own for each picture, in which nobody has been. */
async function startServer() {
  const port = await freePort()
  const env = { ...process.env, PORT: String(port) }
  const server = spawn(process.execPath, ["demo/bundle/server.js"], { env, stdio: ["ignore", "pipe", "inherit"] })
  await once(server.stdout, "data")
  return { port, stop: () => server.kill() }
}

const browser = await chromium.launch({
  executablePath: find("chromium") ?? "",
  args: ["--no-sandbox", "--disable-gpu"],
})

/** What happens in the picture. */
async function play({ left, right, take, point, press }) {
  const shows = (frame, selector, text) => frame.locator(selector, { hasText: text }).first().waitFor()
  await left.fill("#name", "Ada")
  await left.press("#name", "Enter")
  await left.waitForSelector("#people li")
  await shows(right, "#look", "1 person is in this room now.")
  await take(1200)
  for (const letter of "Grace") {
    await right.locator("#name").pressSequentially(letter)
    await take(110)
  }
  await press(right, "#sign-in button")
  await shows(left, "#count", "2 people are here")
  await right.waitForSelector("#people li")
  for (let frame = 0; frame < 3; frame += 1) await take(90)
  await take(1200)
  await point(right, ".users", 0.7, 0.2)
  await point(right, ".users", 0.2, 0.5)
  await point(right, ".users", 0.6, 0.6)
  await take(900)
  await press(left, "#choices .choice:last-child")
  await shows(right, "#people .status", "busy")
  await take(1300)
  await right.locator("#line").focus()
  await right.evaluate(() => scrollTo({ top: 0 }))
  for (const letter of "Hello, Ada!") {
    await right.locator("#line").pressSequentially(letter)
    if (letter === "H") await shows(left, "#typing", "Grace is typing…")
    await right.evaluate(() => scrollTo({ top: 0 }))
    await take(110)
  }
  await right.press("#line", "Enter")
  await shows(left, "#feed li", "Hello, Ada!")
  await right.evaluate(() => scrollTo({ top: 0 }))
  await take(1500)
  await press(left, "#crowd")
  await shows(right, "#count", "122 people are here")
  await shows(left, "#count", "122 people are here")
  for (let frame = 0; frame < 14; frame += 1) await take(100)
  await take(2500)
}

try {
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    const server = await startServer()
    const urls = ["localhost", "127.0.0.1"].map((host) => `http://${host}:${server.port}/`)
    const camera = await setUp(browser, urls, colorScheme)
    try {
      await play(camera)
    } finally {
      server.stop()
    }
    const gif = gifOf({ width: WIDTH, height: HEIGHT, frames: camera.frames })
    await writeFile(`.github/pictures/demo-${colorScheme}.gif`, gif)
    console.log(
      `.github/pictures/demo-${colorScheme}.gif: ${camera.frames.length} frames, ${(gif.length / 1e6).toFixed(2)} MB`,
    )
    await camera.close()
  }
} finally {
  await browser.close()
}
