/** Returns a new element. Texts are set as text, never as HTML: what a user has typed may be among them. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) setAttribute(made, attribute, value)
  made.append(...children)
  return made
}

/** Sets an attribute, or removes it. One that has the value already is not touched, so that nothing is announced again. */
export function setAttribute(of: Element, name: string, value: string | undefined): void {
  if (value === undefined) of.removeAttribute(name)
  else if (of.getAttribute(name) !== value) of.setAttribute(name, value)
}

/** Sets the text of an element. A text that it has already is not touched. */
export function setText(of: Element, text: string): void {
  if (of.textContent !== text) of.textContent = text
}
