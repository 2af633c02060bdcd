import { element } from "./element.js"
import { lastRoom } from "./room/visit.js"

/** The demo's pages. A new page is one more line here, and an element with the id `pages` in its HTML. */
const PAGES: readonly (readonly [file: string, title: string])[] = [
  ["index.html", "Room"],
  ["services.html", "Services"],
  ["cluster.html", "Cluster"],
]

/** Fills the element `pages` with links to all pages, and marks the one that is shown. Its height is fixed by the style sheet. */
export function showNavigation(path: string = location.pathname): void {
  const file = path.slice(path.lastIndexOf("/") + 1)
  // The page for `/` is the first one, and so is its build from modules.
  const current = PAGES.find(([name]) => name === file) ?? PAGES[0]
  const room = new URLSearchParams(location.search).get("room") ?? lastRoom()
  const links = PAGES.map(([name, title]) => {
    const link = element("a", "", title) as HTMLAnchorElement
    link.href = name
    // From the other pages, the way back leads into the same room.
    if (name === PAGES[0]?.[0] && room !== "") link.search = `?${new URLSearchParams({ room })}`
    if (name === current?.[0]) link.ariaCurrent = "page"
    return link
  })
  document.getElementById("pages")?.replaceChildren(...links)
}
