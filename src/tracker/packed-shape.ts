import type { RowContent, RowReader } from "../crdt/sealed-row.ts"
import { clusterPid } from "./replica-ref.ts"
import { isPid, isTrackedMeta } from "./row-checks.ts"
import type { TrackedMeta } from "./topic-diff.ts"

/** A field with more different texts than this has them in each row. */
export const MAX_TEXTS = 64

/** A shape with more fields than this has no pattern: the engine takes long for a large one, and throws for one of thousands of fields. */
const MAX_MATCHED_FIELDS = 100

/** A JSON string without escapes, which is what most strings are. */
const STRING = String.raw`"[^"\\\u0000-\u001f]*"`
const NUMBER = String.raw`-?(?:0|[1-9]\d{0,14})(?:\.\d{1,9})?`
const SCALAR = `(?:${STRING}|${NUMBER}|true|false|null)`
const PID = String.raw`(?:${STRING}|0|[1-9]\d{0,14})`

/**
 * The shape of packed rows, as it is in a message: the names of a meta's fields, and for each field 0, or the few texts that it
 * has in all rows.
 */
export type ShapeJson = readonly [names: readonly string[], texts: readonly (0 | readonly string[])[]]

/**
 * Reads the texts of packed rows of one shape. A text is the JSON of the pid and of the meta's values, without brackets. A field
 * that has few texts has the index of its text there.
 */
export class PackedShape implements RowReader<TrackedMeta> {
  readonly json: ShapeJson
  readonly #node: string
  #pattern: RegExp | undefined

  /** @param node the node whose pids are in the texts */
  constructor(json: ShapeJson, node: string) {
    this.json = json
    this.#node = node
  }

  /** Returns what a text contains; `undefined` if it is not the text of a row. */
  tryRead(text: unknown): RowContent<TrackedMeta> | undefined {
    if (typeof text !== "string") return undefined
    let values: readonly unknown[]
    try {
      values = JSON.parse(`[${text}]`) as readonly unknown[]
    } catch {
      return undefined
    }
    const [names] = this.json
    if (values.length !== names.length + 1 || !isPid(values[0])) return undefined
    const meta = this.#metaOf(values)
    return meta && isTrackedMeta(meta)
      ? { pid: clusterPid(values[0], this.#node), meta: Object.freeze(meta) }
      : undefined
  }

  /** Returns whether a value is the text of a row. To match a pattern takes less than half the time of reading it. */
  accepts(text: unknown): text is string {
    if (typeof text !== "string") return false
    if (this.json[0].length <= MAX_MATCHED_FIELDS && (this.#pattern ??= patternOf(this.json)).test(text)) return true
    return this.tryRead(text) !== undefined
  }

  read(text: string): RowContent<TrackedMeta> {
    return this.tryRead(text)!
  }

  /** Returns the meta of a row's values; `undefined` if one of them is not the index of a text. */
  #metaOf(values: readonly unknown[]): object | undefined {
    const [names, texts] = this.json
    const meta: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i += 1) {
      const value = values[i + 1]
      const few = texts[i]
      const field = few === 0 || few === undefined ? value : itemAt(few, value)
      if (field === undefined) return undefined
      const name = names[i]!
      // An assignment to this name would set the prototype.
      if (name === "__proto__") Object.defineProperty(meta, name, { value: field, enumerable: true })
      else meta[name] = field
    }
    return meta
  }
}

/** Returns the shape of a message's rows; `undefined` if the value is none. */
export function shapeOf(json: unknown, node: string): PackedShape | undefined {
  if (!Array.isArray(json)) return undefined
  const [names, texts] = json as readonly unknown[]
  if (!isTexts(names) || !Array.isArray(texts) || texts.length !== names.length) return undefined
  // A name that is there twice could have a second value that cannot be set, which only reading the row would show.
  if (new Set(names).size < names.length) return undefined
  if (!names.includes("phx_ref") || !texts.every((known) => known === 0 || isTexts(known))) return undefined
  return new PackedShape([names, texts as readonly (0 | readonly string[])[]], node)
}

/** Returns the item at an index; `undefined` for a value that is not an index, such as "length". */
export function itemAt<T>(items: readonly T[], index: unknown): T | undefined {
  return typeof index === "number" ? items[index] : undefined
}

/** Returns a pattern that only texts of a shape match, and most of them do. The others have objects, arrays or escapes. */
function patternOf([names, texts]: ShapeJson): RegExp {
  const fields = names.map((name, i) => {
    const few = texts[i]
    if (few === 0 || few === undefined) return name === "phx_ref" || name === "phx_ref_prev" ? STRING : SCALAR
    // No pattern with thousands of indexes: a text that does not match is read.
    return `(?:${
      few
        .slice(0, MAX_TEXTS)
        .map((_, index) => index)
        .join("|") || "(?!)"
    })`
  })
  return new RegExp(`^${[PID, ...fields].join(",")}$`)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string")
}
