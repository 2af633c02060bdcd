/** Puts drawings into the page, so that they take its colours, in light and dark: `![text](pictures/name.svg)`. */
import { readFileSync } from "node:fs"

/** @param {import("markdown-it").default} md */
export function useDrawings(md) {
  const render = md.renderer.rules.image
  md.renderer.rules.image = (tokens, at, ...rest) => {
    const source = tokens[at].attrGet("src") ?? ""
    if (!/^pictures\/[\w-]+\.svg$/.test(source)) return render(tokens, at, ...rest)
    const svg = readFileSync(new URL(`../${source}`, import.meta.url), "utf8")
    // The style is for a picture that stands alone. A drawing in a page has the colour of its text.
    const coloured = svg.replace(/<style>.*?<\/style>/, "").replaceAll("#0f8f80", "var(--vp-c-brand-1)")
    return coloured.replace("<svg ", '<svg class="drawing" v-pre ')
  }
}
