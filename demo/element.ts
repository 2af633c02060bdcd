/** Returns the element with an id. */
export const find = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => document.getElementById(id) as Kind

export function element(tag: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(tag)
  if (className !== "") made.className = className
  made.textContent = text
  return made
}

/**
 * Makes `children` the children of `parent`. One that is there already is not taken out and put in again: it would lose its
 * focus, and its animation would begin anew.
 */
export function place(parent: HTMLElement, children: readonly HTMLElement[]): void {
  const wanted = new Set<Element>(children)
  for (const child of Array.from(parent.children)) if (!wanted.has(child)) child.remove()
  for (const [index, child] of children.entries()) {
    const there = parent.children[index]
    if (there !== child) parent.insertBefore(child, there ?? null)
  }
}
