/** The files of the repository's root as pages. */
import { readFileSync } from "node:fs"
import { basename } from "node:path"
import { ABOUT } from "../.vitepress/pages.js"

export default {
  paths: () =>
    Object.entries(ABOUT).map(([page, file]) => ({
      params: { page: basename(page, ".md") },
      // The builder imports the pictures of HTML tags. They lie beside the file, which is two folders above its page.
      content: readFileSync(new URL(`../../${file}`, import.meta.url), "utf8").replace(
        /\b(src|srcset)="(?=\.github\/)/g,
        '$1="../../',
      ),
    })),
}
