/** The docs site: `npm run docs`. Its pages are the Markdown files of this folder, the README and its kin, and the API reference. */
import { existsSync, readFileSync } from "node:fs"
import { defineConfig } from "vitepress"
import llms from "vitepress-plugin-llms"
import { useDrawings } from "./pictures.js"
import { SIDEBAR } from "./pages.js"
import { useBraces } from "./braces.js"
import { useTables } from "./tables.js"
import { slugify, useSiteLinks } from "./site-links.js"

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))
const repository = manifest.repository?.url?.replace(/^git\+/, "").replace(/\.git$/, "")
const base = process.env.DOCS_BASE ?? "/"
const hasCluster = existsSync(new URL("../public/cluster-in-a-page/index.html", import.meta.url))

export default defineConfig({
  title: "Rollcall",
  description: manifest.description,
  lang: "en",
  base,
  cleanUrls: true,
  // The first page would load all pages that it links to.
  router: { prefetchLinks: false },
  srcExclude: ["node_modules/**"],
  // A link to a page that does not exist fails the build. The samples name servers on the reader's own machine.
  ignoreDeadLinks: "localhostLinks",
  head: [["link", { rel: "icon", type: "image/svg+xml", href: `${base}favicon.svg` }]],
  markdown: {
    // Themes with enough contrast for small text.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    anchor: { slugify },
    // Nobody has written a grammar for these two. That of nginx fits well enough.
    languageAlias: { haproxy: "nginx", caddy: "nginx" },
    config: (md) => {
      useSiteLinks(md, repository)
      useBraces(md)
      useDrawings(md)
      useTables(md)
    },
  },
  vite: {
    plugins: [llms({ ignoreFiles: ["api/**", "about/**"], domain: process.env.DOCS_ORIGIN })],
    server: { fs: { allow: ["../.."] } },
  },
  themeConfig: {
    nav: [
      { text: "Start", link: "/start" },
      { text: "Recipes", link: "/recipes" },
      { text: "How it works", link: "/how-presence-works" },
      { text: "API", link: "/api/" },
      { text: manifest.version, link: "/about/changelog" },
    ],
    sidebar: [
      ...SIDEBAR,
      ...(hasCluster
        ? [{ text: "A cluster to play with", link: "/cluster-in-a-page/index.html", target: "_self" }]
        : []),
      { text: "API reference", link: "/api/" },
    ],
    hasCluster,
    search: { provider: "local" },
    outline: [2, 3],
    ...(repository === undefined ? {} : { socialLinks: [{ icon: "github", link: repository }] }),
  },
})
