import type { Room } from "rollcall"
import { element } from "./element.js"

/** How long a pointer that rests is shown, in ms. */
const SHOWN_MS = 4_000

/** Where a pointer is, as shares of the width and the height of the area: pages differ in size. */
interface Cursor {
  readonly x: number
  readonly y: number
  /** The key of the person, which the server adds. */
  readonly from?: string
}

/** Shows where the others point, and sends where this page's pointer is. A finger is no pointer: it hides what it touches. */
export function showCursors(room: Room, area: HTMLElement, me: string, hueOf: (key: string) => number): void {
  const shown = new Map<string, { readonly pointer: HTMLElement; timer: ReturnType<typeof setTimeout> }>()

  function remove(key: string): void {
    const cursor = shown.get(key)
    clearTimeout(cursor?.timer)
    cursor?.pointer.remove()
    shown.delete(key)
  }

  function pointerOf(key: string): HTMLElement {
    const pointer = element("div", "cursor")
    pointer.ariaHidden = "true"
    pointer.style.setProperty("--hue", String(hueOf(key)))
    const name = element("span", "")
    name.append(element("bdi", "", key))
    pointer.append(name)
    return pointer
  }

  area.addEventListener("pointermove", ({ pointerType, clientX, clientY }) => {
    if (pointerType === "touch") return
    const { left, top, width, height } = area.getBoundingClientRect()
    void room.broadcast("cursor", { x: (clientX - left) / width, y: (clientY - top) / height }, { volatile: true })
  })
  room.on<Cursor>("cursor", ({ x, y, from }) => {
    if (from === undefined || from === me || room.get(from) === undefined) return
    const pointer = shown.get(from)?.pointer ?? pointerOf(from)
    clearTimeout(shown.get(from)?.timer)
    const place = (share: number): string => `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`
    Object.assign(pointer.style, { left: place(x), top: place(y) })
    if (!pointer.isConnected) area.append(pointer)
    shown.set(from, { pointer, timer: setTimeout(() => remove(from), SHOWN_MS) })
  })
  room.onChange((changes) => {
    for (const { type, key } of changes) if (type === "leave") remove(key)
  })
}
