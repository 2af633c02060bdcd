import { element, setAttribute } from "./dom.ts"

/** Tabs with their panels. The arrow keys, Home and End choose a tab. */
export interface Tabs<Name extends string> {
  readonly root: HTMLElement
  readonly panels: Readonly<Record<Name, HTMLElement>>
  readonly selected: Name
  select(name: Name): void
  /** Sets the number beside a tab's title. */
  count(name: Name, count: number): void
  focus(): void
}

/** @param titles by the names of the tabs; the first one is selected */
export function createTabs<Name extends string>(
  titles: Readonly<Record<Name, string>>,
  changed: () => void,
): Tabs<Name> {
  const names = Object.keys(titles) as Name[]
  const counts = {} as Record<Name, HTMLElement>
  const panels = {} as Record<Name, HTMLElement>
  let selected = names[0]!

  const buttons = names.map((name) => {
    counts[name] = element("span", { class: "badge" }, "0")
    const about = { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}` }
    const button = element("button", about, `${titles[name]} `, counts[name])
    button.addEventListener("click", () => select(name))
    panels[name] = element("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}` })
    return button
  })

  const select = (next: Name): void => {
    selected = next
    for (const [at, name] of names.entries()) {
      setAttribute(buttons[at]!, "aria-selected", String(name === next))
      setAttribute(buttons[at]!, "tabindex", name === next ? "0" : "-1")
      panels[name].hidden = name !== next
    }
    changed()
  }

  const root = element("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, ...buttons)
  root.addEventListener("keydown", (event) => {
    const at = names.indexOf(selected)
    const targets: Record<string, number> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }
    const target = targets[event.key]
    if (target === undefined) return
    event.preventDefault()
    select(names.at(target % names.length)!)
    tabs.focus()
  })

  const tabs: Tabs<Name> = {
    root,
    panels,
    get selected() {
      return selected
    },
    select,
    count(name, count) {
      if (counts[name].textContent !== String(count)) counts[name].textContent = String(count)
    },
    focus: () => buttons[names.indexOf(selected)]!.focus(),
  }
  return tabs
}
