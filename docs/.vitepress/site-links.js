/** Links of the Markdown files lead to files of the repository, so that they work there. On the site, they lead to its pages. */
import { dirname, join, normalize } from "node:path/posix"
import { ABOUT } from "./pages.js"

const PAGES = new Map(Object.entries(ABOUT).map(([page, file]) => [file, page]))

/**
 * Returns the anchor that GitHub gives a heading, so that one link works in both places.
 * @param {string} heading
 */
export const slugify = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\s-]/gu, "")
    .trim()
    .replaceAll(" ", "-")

/**
 * Returns where a link of a page leads on the site, and `undefined` for a file that is not on it.
 * @param {string} href
 * @param {string} page the page with the link, such as `react.md`
 * @param {string | undefined} repository where the repository's files are shown, for those that are no pages
 */
export function siteLink(href, page, repository) {
  if (/^([a-z]+:|#|\/)/i.test(href) || page.startsWith("api/")) return href
  const [path, anchor] = href.split("#")
  const source = ABOUT[page] ?? `docs/${page}`
  const file = normalize(join(dirname(source), path))
  const suffix = anchor === undefined ? "" : `#${anchor}`
  if (file.startsWith("docs/")) return `/${file.slice("docs/".length)}${suffix}`
  if (PAGES.has(file)) return `/${PAGES.get(file)}${suffix}`
  return repository === undefined ? undefined : `${repository}/blob/main/${file}${suffix}`
}

/**
 * Returns a link to an anchor of the same page. The API reference numbers names that differ in upper case only, such as a type and a
 * function, otherwise than the site does: then the link without the number is the right one.
 * @param {string | undefined} href
 * @param {Set<string | null>} anchors
 */
const existing = (href, anchors) =>
  href?.startsWith("#") && !anchors.has(href.slice(1)) ? href.replace(/-\d+$/, "") : href

/**
 * A plugin of markdown-it that rewrites the links of a page.
 * @param {import("markdown-it").default} md
 * @param {string | undefined} repository
 */
export function useSiteLinks(md, repository) {
  md.core.ruler.push("site-links", ({ tokens, env }) => {
    const anchors = new Set(tokens.map((token) => token.attrGet("id")))
    for (const { children } of tokens) {
      let isDropped = false
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const href = existing(siteLink(token.attrGet("href"), env.relativePath, repository), anchors)
          isDropped = href === undefined
          if (isDropped) {
            token.attrs = [["title", token.attrGet("href")]]
            token.tag = "span"
          } else token.attrSet("href", href)
        } else if (token.type === "link_close" && isDropped) token.tag = "span"
      }
    }
  })
}
