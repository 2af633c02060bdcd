/** Two pages of the demo side by side, as two browsers on one table, and a camera that looks at both. */

const GAP = 20
const SCALE = 0.75
/** The size of each window before it is scaled, in CSS pixels: a computer and a phone. */
const WINDOWS = [
  { width: 850, height: 740 },
  { width: 390, height: 740 },
]
const BAR = 26
export const WIDTH = Math.round(WINDOWS.reduce((sum, { width }) => sum + width * SCALE + GAP, GAP))
export const HEIGHT = Math.round(WINDOWS[0].height * SCALE) + BAR + 2 * GAP

const table = (urls, isDark) => `<!doctype html><style>
  body { margin: 0; padding: ${GAP}px; display: flex; gap: ${GAP}px; background: ${isDark ? "#2b2825" : "#d9d3c9"} }
  .window { position: relative; overflow: hidden; border-radius: 10px; box-shadow: 0 2px 10px #0003 }
  .bar { height: ${BAR}px; padding: 0 12px; background: ${isDark ? "#3a3733" : "#efece7"}; color: ${isDark ? "#a39c93" : "#67625c"};
    font: 12px/${BAR}px system-ui, sans-serif }
  iframe { border: 0; transform: scale(${SCALE}); transform-origin: 0 0; display: block }
  #pointer { position: fixed; pointer-events: none; z-index: 1; width: 13px; height: 18px; left: -99px; background: ${isDark ? "#fff" : "#000"};
    clip-path: polygon(0 0, 100% 62%, 56% 66%, 80% 96%, 58% 100%, 36% 72%, 0 92%) }
</style>${urls
  .map((url, index) => {
    const { width, height } = WINDOWS[index]
    const size = `width:${Math.round(width * SCALE)}px;height:${Math.round(height * SCALE) + BAR}px`
    return `<div class="window" style="${size}"><div class="bar">${["Ada’s computer", "Grace’s phone"][index]}</div>
      <iframe src="${url}" width="${width}" height="${height}"></iframe></div>`
  })
  .join("")}<div id="pointer"></div>`

/**
 * Opens two pages, and returns them with a camera.
 *
 * @param {import("playwright").Browser} browser
 * @param {string[]} urls pages of different hosts, which therefore are two people
 * @param {"light" | "dark"} colorScheme
 */
export async function setUp(browser, urls, colorScheme) {
  const context = await browser.newContext({ viewport: { width: WIDTH, height: HEIGHT }, colorScheme })
  const page = await context.newPage()
  await page.setContent(table(urls, colorScheme === "dark"))
  const handles = await page.locator("iframe").elementHandles()
  const [left, right] = await Promise.all(handles.map((handle) => handle.contentFrame()))
  if (!left || !right) throw new Error("expected two windows with a page each")
  const windows = [left, right]
  const decoder = await context.newPage()
  const frames = []

  /** Returns the pixels of a PNG: the browser decodes it. */
  async function decode(png) {
    const pixels = await decoder.evaluate(async (base64) => {
      const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob())
      const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d")
      if (!canvas) throw new Error("expected a canvas, got none")
      canvas.drawImage(image, 0, 0)
      const { data } = canvas.getImageData(0, 0, image.width, image.height)
      let text = ""
      for (let at = 0; at < data.length; at += 32_768) text += String.fromCharCode(...data.subarray(at, at + 32_768))
      return btoa(text)
    }, png.toString("base64"))
    return new Uint8Array(Buffer.from(pixels, "base64"))
  }

  /** Takes a frame that is shown for so long. */
  async function take(ms) {
    // Pictures take longer than typing does, and nobody shall be away meanwhile.
    await Promise.all(windows.map((frame) => frame.evaluate(() => void dispatchEvent(new Event("keydown")))))
    frames.push({ rgba: await decode(await page.screenshot()), ms })
  }

  /** Moves the pointer to a place on the table, and takes a frame of each step. */
  async function move(x, y, steps) {
    const from = await page.locator("#pointer").boundingBox()
    const [startX, startY] = from && from.x >= 0 ? [from.x, from.y] : [WIDTH - 120, HEIGHT - 40]
    for (let step = 1; step <= steps; step += 1) {
      const at = [startX + ((x - startX) * step) / steps, startY + ((y - startY) * step) / steps]
      await page.mouse.move(at[0], at[1])
      await page.evaluate(([left, top]) => {
        document.getElementById("pointer")?.setAttribute("style", `left: ${left}px; top: ${top}px`)
      }, at)
      await take(70)
    }
  }

  /** Moves the pointer to a place in an element of a window, as shares of the element: a window is a scaled page. */
  async function point(frame, selector, shareX = 0.5, shareY = 0.5, steps = 8) {
    const boxOf = (element) => element.getBoundingClientRect().toJSON()
    const box = await frame.locator(selector).evaluate(boxOf)
    const outer = await handles[frame === left ? 0 : 1].evaluate(boxOf)
    const x = outer.x + (box.x + box.width * shareX) * SCALE
    const y = outer.y + (box.y + box.height * shareY) * SCALE
    await move(x, y, steps)
    return [x, y]
  }

  /** Moves the pointer to an element, and presses it. */
  async function press(frame, selector) {
    const [x, y] = await point(frame, selector)
    await page.mouse.click(x, y)
  }

  return { left, right, frames, take, point, press, close: () => context.close() }
}
