/** Returns the element with an id. */
export const find = <Kind extends HTMLElement = HTMLElement>(id: string): Kind => document.getElementById(id) as Kind

export function element(tag: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(tag)
  if (className !== "") made.className = className
  made.textContent = text
  return made
}
