/** The files of the repository's root as pages. */
import { readFileSync } from "node:fs"
import { basename } from "node:path"
import { ABOUT } from "../.vitepress/pages.js"

export default {
  paths: () =>
    Object.entries(ABOUT).map(([page, file]) => ({
      params: { page: basename(page, ".md") },
      content: readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"),
    })),
}
