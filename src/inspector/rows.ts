/** The rows of the inspector's lists. */
import { isJsonObject } from "../json.ts"
import { element } from "./dom.ts"
import type { TimelineEntry } from "./timeline-entry.ts"

/** A room in the list. */
export interface RoomItem {
  readonly topic: string
  readonly status: string
  readonly size: number
}

/** A user in the list. */
export interface UserItem {
  readonly key: string
  /** The user without what is secret. */
  readonly shown: unknown
  readonly hasLeft: boolean
}

const MAX_FIELDS = 4
const MAX_VALUE = 28
const REFERENCES = new Set(["phx_ref", "phx_ref_prev"])

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
})

export const timeOf = (at: number): string => clock.format(at)

/** Returns the metas of a user as it is shown. */
export function metasOf(shown: unknown): readonly Record<string, unknown>[] {
  const metas = isJsonObject(shown) ? shown["metas"] : undefined
  return Array.isArray(metas) ? metas.filter(isJsonObject) : []
}

const short = (value: unknown): string => {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "")
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text
}

const hueOf = (key: string): number =>
  Array.from(key.slice(0, 64)).reduce((hue, char) => (hue * 31 + char.codePointAt(0)!) % 360, 7)

export function avatar(key: string): HTMLElement {
  const made = element(
    "span",
    { class: "avatar", "aria-hidden": "true" },
    (Array.from(key.slice(0, 4))[0] ?? "?").toUpperCase(),
  )
  made.style.setProperty("--hue", String(hueOf(key)))
  return made
}

export const dot = (status: string): HTMLElement =>
  element("span", { class: "dot", "data-is": status, "aria-hidden": "true" })

export function renderRoom(row: HTMLElement, { topic, status, size }: RoomItem): void {
  const text = `${topic} ${status} ${size}`
  if (row.dataset["shows"] === text) return
  row.dataset["shows"] = text
  const name = element("bdi", { class: "grow" }, topic)
  row.replaceChildren(
    dot(status),
    name,
    element("span", { class: "quiet" }, status === "live" ? "" : status),
    element("span", { class: "badge" }, String(size)),
  )
}

const drawnUsers = new WeakMap<HTMLElement, unknown>()

export function renderUser(row: HTMLElement, { key, shown, hasLeft }: UserItem): void {
  // A user that has not changed is the same object.
  if (row.dataset["key"] === key && drawnUsers.get(row) === shown && shown !== null) return
  drawnUsers.set(row, shown)
  row.dataset["key"] = key
  row.classList.toggle("left", hasLeft)
  const metas = metasOf(shown)
  const newest = metas.at(-1) ?? {}
  const fields = Object.entries(newest).filter(([name]) => !REFERENCES.has(name))
  const values = fields
    .slice(0, MAX_FIELDS)
    .map(([name, value]) =>
      element("span", { class: "field" }, element("i", {}, name), " ", element("bdi", {}, short(value))),
    )
  const count = metas.length > 1 ? [element("span", { class: "badge" }, `×${metas.length}`)] : []
  // Not by a paler color alone.
  const left = hasLeft ? [element("span", { class: "quiet" }, "left")] : []
  const ref = element("code", { class: "ref" }, short(newest["phx_ref"] ?? ""))
  row.replaceChildren(
    avatar(key),
    element("bdi", { class: "name" }, key),
    ...count,
    ...left,
    element("span", { class: "fields" }, ...values),
    ref,
  )
}

const SIGNS = { in: "↓", out: "↑", change: "◆", status: "●", dropped: "✕" }
const MEANINGS = { in: "received", out: "sent", change: "change", status: "status", dropped: "dropped" }

export function renderEntry(row: HTMLElement, { id, at, kind, topic, name, text }: TimelineEntry): void {
  if (row.dataset["entry"] === String(id)) return
  row.dataset["entry"] = String(id)
  row.dataset["kind"] = kind
  const sign = element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[kind])
  row.replaceChildren(
    element("time", {}, timeOf(at)),
    sign,
    element("span", { class: "hidden" }, MEANINGS[kind]),
    element("span", { class: "event" }, name),
    element("bdi", { class: "topic" }, topic),
    element("bdi", { class: "grow text" }, text),
  )
}
