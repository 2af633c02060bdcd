/** A list box that may have any number of rows, of which only those that are visible are elements. */
import { element, setAttribute } from "./dom.ts"

/** What a list shows. */
export interface VirtualListOptions<Item> {
  readonly label: string
  /** The prefix of the ids of its rows. */
  readonly name: string
  /** The height of each row, in pixels. */
  readonly rowHeight: number
  /** Whether it stays at its end while rows are added there. */
  readonly isFollowing?: boolean
  /** Writes the content of a row. */
  readonly render: (row: HTMLElement, item: Item) => void
  /** Called when the user has chosen a row. */
  readonly onPick: (item: Item) => void
}

/** A list. */
export interface VirtualList<Item> {
  readonly root: HTMLElement
  /**
   * Shows these items.
   *
   * @param picked the index of the row that is chosen; -1 for none
   */
  update(items: readonly Item[], picked: number): void
  /** Shows the row that is chosen. */
  reveal(): void
}

interface Row {
  readonly root: HTMLElement
  index: number
}

/** Rows beyond the visible ones, so that a fast scroll shows no gap. */
const SPARE_ROWS = 4

export function createVirtualList<Item>(options: VirtualListOptions<Item>): VirtualList<Item> {
  const { label, name, rowHeight, render, onPick, isFollowing = false } = options
  const space = element("div", { class: "space", role: "presentation" })
  const root = element("div", { class: `list ${name}`, role: "listbox", "aria-label": label, tabindex: "0" }, space)
  const rows: Row[] = []
  let items: readonly Item[] = []
  let picked = -1
  /** Where the keyboard is. */
  let active = 0
  let isAtEnd = true

  const draw = (): void => {
    const first = Math.max(0, Math.floor(root.scrollTop / rowHeight) - SPARE_ROWS)
    const count = Math.min(items.length - first, Math.ceil(root.clientHeight / rowHeight) + 2 * SPARE_ROWS)
    while (rows.length < count) {
      const row: Row = { root: element("div", { class: "row", role: "option" }), index: 0 }
      row.root.style.height = `${rowHeight}px`
      row.root.addEventListener("click", () => pick(row.index))
      rows.push(row)
      space.append(row.root)
    }
    for (const extra of rows.splice(Math.max(0, count))) extra.root.remove()
    for (const [at, row] of rows.entries()) {
      const index = first + at
      const item = items[index]!
      row.root.style.transform = `translateY(${index * rowHeight}px)`
      row.root.id = `${name}-${index}`
      setAttribute(row.root, "aria-posinset", String(index + 1))
      setAttribute(row.root, "aria-setsize", String(items.length))
      setAttribute(row.root, "aria-selected", String(index === picked))
      row.index = index
      render(row.root, item)
    }
    const isDrawn = active >= first && active < first + count
    setAttribute(root, "aria-activedescendant", isDrawn ? `${name}-${active}` : undefined)
  }

  const show = (index: number): void => {
    const top = index * rowHeight
    if (top < root.scrollTop) root.scrollTop = top
    else if (top + rowHeight > root.scrollTop + root.clientHeight) root.scrollTop = top + rowHeight - root.clientHeight
  }

  const pick = (index: number): void => {
    const item = items[index]
    if (item === undefined) return
    active = index
    show(index)
    onPick(item)
  }

  root.addEventListener("scroll", () => {
    isAtEnd = root.scrollTop + root.clientHeight >= space.offsetHeight - rowHeight / 2
    draw()
  })
  root.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(root.clientHeight / rowHeight) - 1)
    const steps: Record<string, number> = {
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -page,
      PageDown: page,
      Home: -Infinity,
      End: Infinity,
    }
    const step = steps[event.key]
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    const from = picked < 0 ? (step > 0 ? -1 : items.length) : picked
    pick(Math.min(items.length - 1, Math.max(0, from + step)))
  })

  return {
    root,
    update(next, nextPicked) {
      // Rows that leave at the beginning must not move those that the user reads.
      const anchor = items[Math.floor(root.scrollTop / rowHeight)]
      const moved = isFollowing && !isAtEnd && anchor !== undefined ? next.indexOf(anchor) : -1
      const before = Math.floor(root.scrollTop / rowHeight)
      items = next
      picked = nextPicked
      active = picked < 0 ? Math.min(active, Math.max(0, items.length - 1)) : picked
      space.style.height = `${items.length * rowHeight}px`
      if (isFollowing && isAtEnd && picked < 0) root.scrollTop = items.length * rowHeight
      else if (moved >= 0 && moved !== before) root.scrollTop += (moved - before) * rowHeight
      draw()
    },
    reveal: () => show(picked),
  }
}
