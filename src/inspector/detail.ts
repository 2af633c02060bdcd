/** What is shown in full: a user with its devices, or an entry of the timeline. */
import { element } from "./dom.ts"
import { avatar, metasOf, timeOf, type UserItem } from "./rows.ts"
import type { TimelineEntry } from "./timeline-entry.ts"

/** How much of a value is written out, in characters. */
const MAX_TEXT = 20_000

const jsonOf = (value: unknown): string => {
  const text = JSON.stringify(value, null, 2) ?? "undefined"
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}\n… and ${text.length - MAX_TEXT} characters more` : text
}

const valueOf = (value: unknown): Node =>
  typeof value === "string" && value !== ""
    ? element("bdi", {}, value.slice(0, MAX_TEXT))
    : element("code", {}, jsonOf(value))

const listOf = (fields: Readonly<Record<string, unknown>>): HTMLElement =>
  element(
    "dl",
    {},
    ...Object.entries(fields).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, valueOf(value))]),
  )

export function userDetail({ key, shown, hasLeft }: UserItem): readonly Node[] {
  const metas = metasOf(shown)
  const { metas: _metas, key: _key, leftAt: _leftAt, ...extra } = Object(shown) as Record<string, unknown>
  const cards = metas.map((meta, at) =>
    element("article", { class: "card" }, element("h3", {}, `Device ${at + 1} of ${metas.length}`), listOf(meta)),
  )
  const more = Object.keys(extra).length
    ? [element("article", { class: "card" }, element("h3", {}, "The user"), listOf(extra))]
    : []
  const note = hasLeft ? [element("span", { class: "quiet" }, "has left")] : []
  return [element("h2", {}, avatar(key), element("bdi", {}, key), ...note), ...cards, ...more]
}

export function entryDetail({ at, kind, name, detail, bytes }: TimelineEntry): readonly Node[] {
  const about = element("p", { class: "quiet" }, `${timeOf(at)} · ${kind} · ${bytes} bytes`)
  return [element("h2", {}, name), about, element("div", { class: "card" }, element("pre", {}, jsonOf(detail)))]
}
