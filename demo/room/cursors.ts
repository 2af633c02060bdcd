import type { Room } from "rollcall"
import { element } from "../element.js"
import { colour } from "./avatar.js"
import type { Cursor, Device, Person } from "./device.js"
import { nameOf } from "./person.js"

/** How long a pointer that rests is shown, in ms. */
const SHOWN_MS = 4_000

/** Shows where the others point, and sends where this page's pointer is. A finger is no pointer: it hides what it touches. */
export function showCursors(room: Room<Device>, area: HTMLElement): void {
  const shown = new Map<string, { readonly pointer: HTMLElement; timer: ReturnType<typeof setTimeout> }>()

  function remove(key: string): void {
    const cursor = shown.get(key)
    clearTimeout(cursor?.timer)
    cursor?.pointer.remove()
    shown.delete(key)
  }

  function pointerOf(person: Person): HTMLElement {
    const pointer = colour(element("div", "cursor"), person)
    pointer.ariaHidden = "true"
    const name = element("span", "")
    name.append(element("bdi", "", nameOf(person)))
    pointer.append(name)
    return pointer
  }

  area.addEventListener("pointermove", ({ pointerType, clientX, clientY }) => {
    if (pointerType === "touch") return
    const { left, top, width, height } = area.getBoundingClientRect()
    void room.broadcast("cursor", { x: (clientX - left) / width, y: (clientY - top) / height }, { volatile: true })
  })
  room.on<Cursor>("cursor", ({ x, y, from }) => {
    const person = from === undefined ? undefined : room.get(from)
    // Another tab of our own points, too.
    if (person === undefined || person.key === room.self?.key) return
    const { key } = person
    const pointer = shown.get(key)?.pointer ?? pointerOf(person)
    clearTimeout(shown.get(key)?.timer)
    const place = (share: number): string => `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`
    Object.assign(pointer.style, { left: place(x), top: place(y) })
    if (!pointer.isConnected) area.append(pointer)
    shown.set(key, { pointer, timer: setTimeout(() => remove(key), SHOWN_MS) })
  })
  room.onChange((changes) => {
    for (const { type, key } of changes) if (type === "leave") remove(key)
  })
}
