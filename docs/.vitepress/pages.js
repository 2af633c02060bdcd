/** The pages of the site, in the order in which a reader meets them: the sidebar, and the check that no page is missing in it. */

import { existsSync } from "node:fs"

/** Files of the repository's root that are pages here, too: page → file. */
export const ABOUT = {
  "about/readme.md": "README.md",
  "about/architecture.md": "ARCHITECTURE.md",
  "about/security-policy.md": "SECURITY.md",
  "about/contributing.md": "CONTRIBUTING.md",
  "about/changelog.md": "CHANGELOG.md",
}

/** @param {string} text @param {string} page a file of `docs`, without `.md` */
const item = (text, page) => ({ text, link: `/${page}` })

/**
 * An item, if its page exists.
 * @param {string} text @param {string} page
 */
const itemIfThere = (text, page) => (existsSync(new URL(`../${page}.md`, import.meta.url)) ? [item(text, page)] : [])

export const SIDEBAR = [
  {
    text: "Begin",
    items: [
      item("Start", "start"),
      item("Recipes", "recipes"),
      item("How presence works", "how-presence-works"),
      ...itemIfThere("Examples", "examples"),
      item("Features", "features"),
    ],
  },
  {
    text: "In the page",
    items: [
      item("The client", "client"),
      item("React", "react"),
      item("Vue", "vue"),
      item("Svelte", "svelte"),
      item("Solid", "solid"),
      item("Other frameworks", "recipes-frameworks"),
      item("The inspector", "inspector"),
      ...itemIfThere("Several tabs, one connection", "shared"),
      item("Testing your code", "testing"),
    ],
  },
  {
    text: "On the server",
    items: [
      item("The server", "server"),
      item("The command", "command"),
      item("Cluster", "cluster"),
      item("Services", "services"),
      item("Supabase's client", "supabase"),
      item("Differences from Phoenix", "differences-from-phoenix"),
    ],
  },
  {
    text: "In production",
    items: [
      item("Running in production", "running-in-production"),
      item("Metrics", "metrics"),
      item("Security", "security"),
      item("Troubleshooting", "troubleshooting"),
      item("Benchmarks", "benchmarks"),
    ],
  },
  {
    text: "Coming from",
    items: [item("phoenix.js, Supabase, Ably, …", "coming-from")],
  },
  {
    text: "About",
    items: [
      item("README", "about/readme"),
      ...itemIfThere("What you can rely on", "stability"),
      item("Architecture", "about/architecture"),
      item("Security policy", "about/security-policy"),
      item("Contributing", "about/contributing"),
      item("Changelog", "about/changelog"),
    ],
  },
]
