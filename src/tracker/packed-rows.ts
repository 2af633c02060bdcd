/**
 * The packed form of many rows: `[topics, shapes, values]`. A row is the values `clock, topic, pid, key, shape` and those of its
 * meta, one after the other; `topic` and `shape` are indexes, and a shape is the names of a meta's fields.
 *
 * A full state is mostly rows of few topics and one shape. In this form it has two thirds of the bytes and is read in half the
 * time, because far fewer strings and objects are parsed. Nodes of earlier releases do not know it: it is only sent to nodes
 * that accept it.
 */

/** The fields of a row; the pid is without its node. */
export type RowFields = readonly [clock: number, topic: string, pid: string, key: string, meta: object]

/** Adds a row with values from another node. Returns whether they are valid. */
export type AddRow = (clock: unknown, topic: unknown, pid: unknown, key: unknown, meta: unknown) => boolean

/** The number of values of a row before those of its meta. */
const FIXED = 5

export function packRows(rows: readonly RowFields[]): unknown[] {
  const topics = new Map<string, number>()
  const shapes: string[][] = []
  const shapeOf = new Map<string, number>()
  const values: unknown[] = []
  let shape = -1
  for (const [clock, topic, pid, key, meta] of rows) {
    const at = topics.get(topic) ?? topics.size
    topics.set(topic, at)
    const names = Object.keys(meta)
    // Neighbours nearly always have the same shape, so that its text is seldom needed.
    if (!isSame(names, shapes[shape])) {
      const text = JSON.stringify(names)
      shape = shapeOf.get(text) ?? shapes.push(names) - 1
      shapeOf.set(text, shape)
    }
    values.push(clock, at, pid, key, shape)
    // Not a spread of `Object.values`: a meta may have more fields than a call may have arguments.
    for (const name of names) values.push((meta as Record<string, unknown>)[name])
  }
  return [[...topics.keys()], shapes, values]
}

function isSame(names: readonly string[], others: readonly string[] | undefined): boolean {
  return names.length === others?.length && names.every((name, i) => name === others[i])
}

/** Adds packed rows. Returns whether all of them are valid. */
export function unpackRows([topics, shapes, values]: readonly unknown[], add: AddRow): boolean {
  if (!Array.isArray(topics) || !isShapes(shapes) || !Array.isArray(values)) return false
  let at = 0
  while (at < values.length) {
    const names = itemAt(shapes, values[at + 4])
    if (names === undefined || at + FIXED + names.length > values.length) return false
    const meta = metaOf(names, values, at + FIXED)
    if (!add(values[at], itemAt<unknown>(topics, values[at + 1]), values[at + 2], values[at + 3], meta)) return false
    at += FIXED + names.length
  }
  return true
}

/** Returns the item at an index; `undefined` for a value that is not an index, such as "length". */
function itemAt<T>(items: readonly T[], index: unknown): T | undefined {
  return typeof index === "number" ? items[index] : undefined
}

function isShapes(value: unknown): value is readonly (readonly string[])[] {
  return Array.isArray(value) && value.every((names) => Array.isArray(names) && names.every(isText))
}

function isText(value: unknown): boolean {
  return typeof value === "string"
}

function metaOf(names: readonly string[], values: readonly unknown[], at: number): object {
  const meta: Record<string, unknown> = {}
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i] as string
    // An assignment to this name would set the prototype.
    if (name === "__proto__") Object.defineProperty(meta, name, { value: values[at + i], enumerable: true })
    else meta[name] = values[at + i]
  }
  return meta
}
