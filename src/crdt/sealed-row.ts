import type { Meta, Row } from "./row.ts"

/** What the text of a sealed row contains. */
export interface RowContent<M = Meta> {
  readonly pid: string
  readonly meta: M
}

/** Reads the texts of sealed rows. All rows with the same fields can share a reader. */
export interface RowReader<M = Meta> {
  /** Returns what a text contains. Never throws: a text is checked before a row is sealed. */
  read(text: string): RowContent<M>
}

/**
 * Creates a sealed row: its pid and its meta stay one text until they are read.
 *
 * A node of a large cluster has the rows of all topics, and clients in few of them. As a text, pid and meta take less than half of
 * their memory and of the time to receive them. A sealed row is a row whose `pid` is its reader and whose `meta` is its text. When
 * it is opened, it gets its pid and its meta, and stays the same object, so that every list shows the same row.
 *
 * So `pid` and `meta` of a row that may be sealed are read with `opened` or `contentOf` only. Operations of the set return opened
 * rows, but diffs and payloads contain rows as they are.
 */
export function sealedRow<M>(
  reader: RowReader<M>,
  text: string,
  topic: string,
  key: string,
  ref: string,
  clock: number,
): Row<M> {
  // The same fields in the same order as of other rows, so that the engine gives all rows one hidden class.
  return { topic, pid: reader, key, meta: text, ref, clock } as unknown as Row<M>
}

export function isSealed(row: Row<unknown>): boolean {
  return typeof row.pid !== "string"
}

/** Opens a row if it is sealed, and returns it. */
export function opened<R extends Row<unknown>>(row: R): R {
  if (isSealed(row)) {
    const { pid, meta } = contentOf(row)
    const open = row as { pid: string; meta: unknown }
    open.pid = pid
    open.meta = meta
  }
  return row
}

/** Returns the pid and the meta of a row, and leaves it sealed if it is. */
export function contentOf<M>(row: Row<M>): RowContent<M> {
  const seal = sealOf(row)
  return seal === undefined ? row : seal.reader.read(seal.text)
}

/** Returns the reader and the text of a sealed row; `undefined` if the row is not sealed. */
export function sealOf<M>(row: Row<M>): { readonly reader: RowReader<M>; readonly text: string } | undefined {
  if (!isSealed(row)) return undefined
  const { pid: reader, meta: text } = row as unknown as { readonly pid: RowReader<M>; readonly meta: string }
  return { reader, text }
}
