/** The site of the documentation shows all pages, and its links lead where those of the repository do. */
import { access, readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import about from "../../docs/about/[page].paths.js"
import { ABOUT, SIDEBAR } from "../../docs/.vitepress/pages.js"
import { siteLink, slugify } from "../../docs/.vitepress/site-links.js"

const docs = (await readdir("docs")).filter((name) => name.endsWith(".md"))
const pages = [...docs, ...Object.keys(ABOUT)]
const read = (page: string): Promise<string> =>
  readFile((ABOUT as Record<string, string>)[page] ?? `docs/${page}`, "utf8")
const linksOf = (text: string): string[] =>
  Array.from(text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g), ([, link]) => link!)

test("each page is in the sidebar, once", () => {
  const listed = SIDEBAR.flatMap(({ items }) => items.map(({ link }) => `${link.slice(1)}.md`))
  expect(listed.sort()).toEqual(pages.filter((page) => page !== "index.md").sort())
})

// It is what search engines and llms.txt show.
test.for(docs.filter((page) => page !== "index.md"))("%s has a description", async (page) => {
  expect(await read(page)).toMatch(/^---\ndescription: \S.{30,159}\n/)
})

test.for(pages)("each link of %s to a page of the site leads to a page and a heading of it", async (page) => {
  for (const link of linksOf(await read(page))) {
    const [path = "", anchor] = (siteLink(link, page, undefined) ?? "").split("#")
    // A picture, or a file that is not on the site.
    if (path === "" && anchor === undefined) continue
    if (/\.(?:svg|gif|png|json)$/.test(path)) continue
    const target = path === "" ? page : path.slice(1)
    expect(pages, link).toContain(target.replace(/^$/, page))
    if (anchor === undefined) continue
    const headings = Array.from((await read(target)).matchAll(/^#+ (.+)$/gm), ([, heading]) => slugify(heading!))
    expect(headings, link).toContain(anchor)
  }
})

// Without this, the whole build of the site fails.
test("the pictures in HTML tags of the repository's files are found from their pages", async () => {
  const pictures = about.paths().flatMap(({ content }) => {
    const prose = content.replace(/^```[\s\S]*?^```/gm, "")
    return Array.from(prose.matchAll(/\b(?:src|srcset)="(?!https?:)([^"]+)"/g), ([, path]) => path!)
  })
  expect(pictures).not.toEqual([])
  for (const path of pictures) {
    expect(path).toMatch(/^\.\.?\//)
    await access(join("docs/about", path))
  }
})

test.for([
  ["client.md#calls", "react.md", "/client.md#calls"],
  ["../README.md#login", "react.md", "/about/readme.md#login"],
  ["docs/client.md", "about/readme.md", "/client.md"],
  ["SECURITY.md", "about/readme.md", "/about/security-policy.md"],
  ["../SECURITY.md", "security.md", "/about/security-policy.md"],
  ["#reasons", "client.md", "#reasons"],
  ["https://orpc.dev", "services.md", "https://orpc.dev"],
  ["../src/wire/introduction.ts", "differences-from-phoenix.md", undefined],
] as const)("a link to %s on %s leads to %s", ([href, page, target]) => {
  expect(siteLink(href, page, undefined)).toBe(target)
})

test("a file that is no page is shown in the repository, where one is named", () => {
  const shown = siteLink("../src/error.ts", "client.md", "https://example.com/rollcall")
  expect(shown).toBe("https://example.com/rollcall/blob/main/src/error.ts")
})

test("headings have the anchors that GitHub gives them", () => {
  expect(["Code for phoenix.js", "`no_state`", "What is sent, and when", "Who's there?"].map(slugify)).toEqual([
    "code-for-phoenixjs",
    "no_state",
    "what-is-sent-and-when",
    "whos-there",
  ])
})
