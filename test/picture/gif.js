/** An animated GIF of frames that differ little: only the pixels that change are written. */
import gifenc from "gifenc"

const { GIFEncoder, quantize, applyPalette } = gifenc

/** A GIF has 256 colours, of which one is the transparent one. */
const COLOURS = 255
/** How many pixels the palette is made from. */
const SAMPLES = 400_000

/**
 * Returns the bytes of a GIF that repeats for ever.
 *
 * @param {{ width: number, height: number, frames: { rgba: Uint8Array, ms: number }[] }} movie
 */
export function gifOf({ width, height, frames }) {
  const palette = quantize(sampleOf(frames), COLOURS, { format: "rgb565" })
  const transparent = palette.length
  palette.push([0, 0, 0])
  const gif = GIFEncoder()
  let before
  for (const { rgba, ms } of frames) {
    const pixels = applyPalette(rgba, palette.slice(0, -1), "rgb565")
    const changed = before ? pixels.map((colour, at) => (colour === before[at] ? transparent : colour)) : pixels
    gif.writeFrame(changed, width, height, {
      ...(!before && { palette }),
      delay: ms,
      transparent: before !== undefined,
      transparentIndex: transparent,
      dispose: 1,
    })
    before = pixels
  }
  gif.finish()
  return gif.bytes()
}

/** Some pixels of all frames, so that what is shown for a moment has its colours, too. */
function sampleOf(frames) {
  const total = frames.reduce((sum, { rgba }) => sum + rgba.length / 4, 0)
  const step = Math.max(1, Math.floor(total / SAMPLES))
  const sample = []
  for (const { rgba } of frames) {
    for (let at = 0; at < rgba.length; at += 4 * step) sample.push(rgba[at], rgba[at + 1], rgba[at + 2], 255)
  }
  return new Uint8Array(sample)
}
