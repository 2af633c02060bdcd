/**
 * The packed form of many rows: `[topics, shapes, values]`. A row is the values `step, topic, pid, key, shape` and those of its
 * meta, one after the other:
 * - `step` is its clock minus that of the row before.
 * - `topic` and `shape` are indexes.
 * - `pid` is a number if it is the decimal form of one.
 *
 * A shape is `[names, texts]`: the names of a meta's fields, and for each field 0, or the few texts that it has in all rows. A
 * row then has the index of its text.
 *
 * A full state is mostly rows of few topics and one shape. In this form it has two thirds of the bytes and is read in half the
 * time, because far fewer strings and objects are parsed, and rows share their texts. Nodes of earlier releases do not know it:
 * it is only sent to nodes that accept it.
 */

/** The fields of a row; the pid is without its node. */
export type RowFields = readonly [clock: number, topic: string, pid: string, key: string, meta: object]

/** Adds a row with values from another node. A pid may be a number. Returns whether they are valid. */
export type AddRow = (clock: unknown, topic: unknown, pid: unknown, key: unknown, meta: unknown) => boolean

/** The number of values of a row before those of its meta. */
const FIXED = 5
/** A field with more different texts than this has them in each row. */
const MAX_TEXTS = 64
/** So many rows must share a text on average. */
const MIN_SHARING = 4

/** The names of a meta's fields, and the texts of those fields that have few. */
interface Shape {
  readonly index: number
  readonly names: readonly string[]
  /** Text → index, for each field; `undefined` for a field that has other values or too many texts. */
  readonly texts: (Map<string, number> | undefined)[]
  rows: number
}

/** Packs rows. They should be in the order of their clocks. */
export function packRows(rows: readonly RowFields[]): unknown[] {
  const shapes = new Shapes()
  const shapeOfRow = rows.map(([, , , , meta]) => shapes.add(meta as Readonly<Record<string, unknown>>))
  for (const shape of shapes.all) dropTextsOfFewRows(shape)
  const topics = new Map<string, number>()
  const values: unknown[] = []
  let last = 0
  for (const [at, [clock, topic, pid, key, meta]] of rows.entries()) {
    const topicIndex = topics.get(topic) ?? topics.size
    topics.set(topic, topicIndex)
    const { index, names, texts } = shapeOfRow[at]!
    values.push(clock - last, topicIndex, isDecimal(pid) ? Number(pid) : pid, key, index)
    last = clock
    // Not a spread of `Object.values`: a meta may have more fields than a call may have arguments.
    for (let i = 0; i < names.length; i += 1) {
      const value = (meta as Record<string, unknown>)[names[i]!]
      values.push(texts[i]?.get(value as string) ?? value)
    }
  }
  const packedShapes = shapes.all.map(({ names, texts }) => [
    names,
    texts.map((known) => (known ? [...known.keys()] : 0)),
  ])
  return [[...topics.keys()], packedShapes, values]
}

/** The shapes of all metas. */
class Shapes {
  readonly all: Shape[] = []
  readonly #byNames = new Map<string, Shape>()
  #last: Shape | undefined

  /** Returns the shape of a meta, and notes the meta's texts. */
  add(meta: Readonly<Record<string, unknown>>): Shape {
    const names = Object.keys(meta)
    // Neighbours nearly always have the same shape, so that its text is seldom needed.
    const shape = this.#last !== undefined && isSame(names, this.#last.names) ? this.#last : this.#shapeOf(names)
    this.#last = shape
    shape.rows += 1
    for (let i = 0; i < names.length; i += 1) {
      const texts = shape.texts[i]
      if (texts === undefined) continue
      const value = meta[names[i]!]
      if (typeof value !== "string") shape.texts[i] = undefined
      else if (!texts.has(value) && texts.set(value, texts.size).size > MAX_TEXTS) shape.texts[i] = undefined
    }
    return shape
  }

  #shapeOf(names: readonly string[]): Shape {
    const text = JSON.stringify(names)
    let shape = this.#byNames.get(text)
    if (shape !== undefined) return shape
    shape = { index: this.all.length, names, texts: names.map(() => new Map()), rows: 0 }
    this.#byNames.set(text, shape)
    this.all.push(shape)
    return shape
  }
}

function dropTextsOfFewRows({ texts, rows }: Shape): void {
  for (let i = 0; i < texts.length; i += 1) if ((texts[i]?.size ?? 0) * MIN_SHARING > rows) texts[i] = undefined
}

function isSame(names: readonly string[], others: readonly string[]): boolean {
  return names.length === others.length && names.every((name, i) => name === others[i])
}

/** Returns whether a pid is what a number's text would be, so that the number stands for it. */
function isDecimal(pid: string): boolean {
  return /^(?:0|[1-9]\d{0,14})$/.test(pid)
}

/** Adds packed rows. Returns whether all of them are valid. */
export function unpackRows([topics, shapes, values]: readonly unknown[], add: AddRow): boolean {
  if (!Array.isArray(topics) || !Array.isArray(shapes) || !Array.isArray(values)) return false
  const metas = shapes.map(metaReader)
  let clock = 0
  let at = 0
  while (at < values.length) {
    const read = itemAt(metas, values[at + 4])
    if (read === undefined || at + FIXED + read.width > values.length) return false
    clock += values[at] as number
    const meta = read.metaAt(values, at + FIXED)
    if (!add(clock, itemAt<unknown>(topics, values[at + 1]), values[at + 2], values[at + 3], meta)) return false
    at += FIXED + read.width
  }
  return true
}

/** Returns the item at an index; `undefined` for a value that is not an index, such as "length". */
function itemAt<T>(items: readonly T[], index: unknown): T | undefined {
  return typeof index === "number" ? items[index] : undefined
}

/** Reads the metas of one shape. */
interface MetaReader {
  /** The number of values of a meta. */
  readonly width: number
  /** Returns the meta whose values begin at an index; `undefined` if one of them is not the index of a text. */
  metaAt(values: readonly unknown[], at: number): object | undefined
}

/** Returns a reader of a shape's metas; `undefined` if the shape is none. */
function metaReader(shape: unknown): MetaReader | undefined {
  if (!Array.isArray(shape)) return undefined
  const [names, texts] = shape as readonly unknown[]
  if (!isTexts(names) || !Array.isArray(texts) || texts.length !== names.length) return undefined
  if (!texts.every((known) => known === 0 || isTexts(known))) return undefined
  const known = texts as readonly (0 | readonly string[])[]
  const metaAt = (values: readonly unknown[], at: number): object | undefined => {
    const meta: Record<string, unknown> = {}
    for (let i = 0; i < names.length; i += 1) {
      const value = values[at + i]
      const few = known[i]
      const field = few === 0 || few === undefined ? value : itemAt(few, value)
      if (field === undefined) return undefined
      const name = names[i]!
      // An assignment to this name would set the prototype.
      if (name === "__proto__") Object.defineProperty(meta, name, { value: field, enumerable: true })
      else meta[name] = field
    }
    return meta
  }
  return { width: names.length, metaAt }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string")
}
