import type { Row } from "../crdt/row.ts"
import { isClock } from "../crdt/ranges.ts"
import { sealedRow, sealOf } from "../crdt/sealed-row.ts"
import { itemAt, MAX_TEXTS, shapeOf, type PackedShape, type ShapeJson } from "./packed-shape.ts"
import { nodeOf, nodePid } from "./replica-ref.ts"
import type { TrackedMeta } from "./topic-diff.ts"

/**
 * The packed form of many rows: `[topics, shapes, values]`. A row is the values `step, topic, key, shape, text`, one after the
 * other:
 * - `step` is its clock minus that of the row before.
 * - `topic` and `shape` are indexes.
 * - `text` is the JSON of the pid and of the meta's values, without brackets. A pid that is the decimal form of a number is one.
 *
 * A shape is described in `packed-shape.ts`.
 *
 * A full state is mostly rows of few topics and one shape. In this form it has two thirds of the bytes, and is read several times
 * faster, because the text of a row stays a text until the row is read (see `sealedRow`). Nodes of earlier releases do not
 * know the form: it is only sent to nodes that accept it.
 */

/** The number of values of a row. */
const WIDTH = 5
/** So many rows must share a text on average. */
const MIN_SHARING = 4
/** So many rows of a shape are opened at once: the shape and its pattern would take more memory than they save. */
const MIN_SEALED = 16

type Fields = Readonly<Record<string, unknown>>

/** A shape while rows are packed. */
interface Shape {
  readonly index: number
  readonly names: readonly string[]
  /** The texts of each field; `undefined` for a field that has other values or too many texts. */
  readonly texts: (Map<string, number> | undefined)[]
  rows: number
  /** The shape in which sealed rows have arrived. */
  readonly json: ShapeJson | undefined
}

/** Packs rows of one node. They should be in the order of their clocks. A sealed row stays sealed: its text is sent. */
export function packRows(rows: readonly Row<TrackedMeta>[], node: string): unknown[] {
  const shapes = new Shapes()
  const shapeOfRow = rows.map((row) => shapes.add(row))
  shapes.settle()
  const topics = new Map<string, number>()
  const values: unknown[] = []
  let last = 0
  for (const [at, row] of rows.entries()) {
    const { clock, topic, key } = row
    const topicIndex = topics.get(topic) ?? topics.size
    topics.set(topic, topicIndex)
    const shape = shapeOfRow[at]!
    values.push(clock - last, topicIndex, key, shape.index)
    values.push(sealOf(row)?.text ?? textOf(nodePid(row.pid, node), row.meta, shape))
    last = clock
  }
  return [[...topics.keys()], shapes.toJson(), values]
}

/** Returns the text of a row. */
function textOf(pid: string, meta: Fields, { names, texts }: Shape): string {
  const values: unknown[] = [isDecimal(pid) ? Number(pid) : pid]
  for (let i = 0; i < names.length; i += 1) {
    const value = meta[names[i]!]
    values.push(texts[i]?.get(value as string) ?? value)
  }
  return JSON.stringify(values).slice(1, -1)
}

/** The shapes of all rows. */
class Shapes {
  readonly #all: Shape[] = []
  readonly #byNames = new Map<string, Shape>()
  readonly #byReader = new Map<PackedShape, Shape>()
  #last: Shape | undefined

  /** Returns the shape of a row. Notes the texts of its meta, unless it is sealed: its text has the form of the shape it came in. */
  add(row: Row<TrackedMeta>): Shape {
    const reader = sealOf(row)?.reader as PackedShape | undefined
    if (reader !== undefined) return this.#ofSealed(reader)
    const meta: Fields = row.meta
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

  /** Drops the texts that too few rows share. To be called when all rows have been added. */
  settle(): void {
    for (const { texts, rows } of this.#all) {
      for (let i = 0; i < texts.length; i += 1) if ((texts[i]?.size ?? 0) * MIN_SHARING > rows) texts[i] = undefined
    }
  }

  toJson(): ShapeJson[] {
    return this.#all.map(
      ({ json, names, texts }) => json ?? [names, texts.map((known) => (known ? [...known.keys()] : 0))],
    )
  }

  #ofSealed(reader: PackedShape): Shape {
    let shape = this.#byReader.get(reader)
    if (shape === undefined) this.#byReader.set(reader, (shape = this.#new([], reader.json)))
    return shape
  }

  #shapeOf(names: readonly string[]): Shape {
    const text = JSON.stringify(names)
    let shape = this.#byNames.get(text)
    if (shape === undefined) this.#byNames.set(text, (shape = this.#new(names)))
    return shape
  }

  #new(names: readonly string[], json?: ShapeJson): Shape {
    const shape = { index: this.#all.length, names, texts: names.map(() => new Map<string, number>()), rows: 0, json }
    this.#all.push(shape)
    return shape
  }
}

function isSame(names: readonly string[], others: readonly string[]): boolean {
  return names.length === others.length && names.every((name, i) => name === others[i])
}

/** Returns whether a pid is what a number's text would be, so that the number stands for it. */
function isDecimal(pid: string): boolean {
  return /^(?:0|[1-9]\d{0,14})$/.test(pid)
}

/** Unpacks rows of a replica. Returns `undefined` if one of them is invalid. */
export function unpackRows(
  [topics, shapes, values]: readonly unknown[],
  ref: string,
): readonly Row<TrackedMeta>[] | undefined {
  if (!Array.isArray(topics) || !Array.isArray(shapes) || !Array.isArray(values)) return undefined
  const node = nodeOf(ref)
  const known = shapes.map((json) => ({ shape: shapeOf(json, node), opened: 0 }))
  const rows: Row<TrackedMeta>[] = []
  let clock = 0
  for (let at = 0; at < values.length; at += WIDTH) {
    clock += values[at] as number
    const topic = itemAt<unknown>(topics, values[at + 1])
    const key: unknown = values[at + 2]
    const of = itemAt(known, values[at + 3])
    const text: unknown = values[at + 4]
    if (!isClock(clock) || typeof topic !== "string" || typeof key !== "string" || of?.shape === undefined)
      return undefined
    if (of.opened < MIN_SEALED) {
      const content = of.shape.tryRead(text)
      if (content === undefined) return undefined
      of.opened += 1
      rows.push({ topic, pid: content.pid, key, meta: content.meta, ref, clock })
    } else {
      if (!of.shape.accepts(text)) return undefined
      rows.push(sealedRow(of.shape, text, topic, key, ref, clock))
    }
  }
  return rows
}
