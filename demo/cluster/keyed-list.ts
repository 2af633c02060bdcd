/** A part of the page that shows one item. */
export interface Part<Item> {
  readonly root: Element
  update(item: Item): void
}

/**
 * Returns a function that shows items in order. The part of an item stays the same element, so that the focus stays where it is.
 */
export function keyedList<Item>(
  parent: Element,
  keyOf: (item: Item) => string,
  create: (item: Item) => Part<Item>,
): (items: readonly Item[]) => void {
  const parts = new Map<string, Part<Item>>()
  return (items) => {
    const keys = new Set(items.map(keyOf))
    for (const [key, { root }] of parts) {
      if (keys.has(key)) continue
      root.remove()
      parts.delete(key)
    }
    let next = parent.firstElementChild
    for (const item of items) {
      const key = keyOf(item)
      const part = parts.get(key) ?? create(item)
      parts.set(key, part)
      part.update(item)
      if (part.root === next) next = next.nextElementSibling
      else parent.insertBefore(part.root, next)
    }
  }
}

/** Changes a text only if it differs: a screen reader would read it again, and a selection would be lost. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}
