import type { VersionVector } from "../crdt/clock.ts"
import { isClock } from "../crdt/ranges.ts"
import type { Part, Parts } from "../crdt/replica-dots.ts"
import type { Row } from "../crdt/row.ts"
import { contentOf } from "../crdt/sealed-row.ts"
import { packRows, unpackRows } from "./packed-rows.ts"
import type { Payload } from "./tracked-payload.ts"
import { clusterPid, nodeOf, nodePid } from "./replica-ref.ts"
import { isCount, isPid, isTrackedMeta } from "./row-checks.ts"
import type { TrackedMeta } from "./topic-diff.ts"

/** The table of the refs in a message. Everywhere else in the message, a ref is written as its index in the table. */
export class RefTable {
  readonly all: string[] = []
  readonly #indexes = new Map<string, number>()

  constructor(first: string) {
    this.indexOf(first)
  }

  /** Returns the index of a ref. Adds the ref if it is new. */
  indexOf(ref: string): number {
    const known = this.#indexes.get(ref)
    if (known !== undefined) return known
    this.#indexes.set(ref, this.all.length)
    return this.all.push(ref) - 1
  }
}

/**
 * Returns the ref at an index; `undefined` for a value that is not an index, such as "length".
 */
export function refAt(refs: readonly string[], index: unknown): string | undefined {
  return typeof index === "number" ? refs[index] : undefined
}

/** Encodes a version vector as JSON: `[ref, clock, ref, clock, …]`. */
export function encodeClocks(clocks: VersionVector, refs: RefTable): number[] {
  const json: number[] = []
  for (const [ref, clock] of clocks) json.push(refs.indexOf(ref), clock)
  return json
}

/** Decodes a version vector; `undefined` if the value is not one. */
export function decodeClocks(json: unknown, refs: readonly string[]): VersionVector | undefined {
  if (!Array.isArray(json) || json.length % 2 !== 0) return undefined
  const clocks = new Map<string, number>()
  for (let i = 0; i < json.length; i += 2) {
    const ref = refAt(refs, json[i])
    const clock: unknown = json[i + 1]
    if (ref === undefined || !isCount(clock)) return undefined
    clocks.set(ref, clock)
  }
  return clocks
}

/**
 * Encodes a full state or a delta as JSON: `[parts]` or `[parts, start, end]`.
 *
 * A part is `[ref, seen, rows]`, and a row is `[clock, topic, pid, key, meta]`. If `isPacked`, it is a packed part instead (see
 * `packed-rows.ts`). The pid is written without its node, which follows from the ref. So a node cannot send rows of another
 * node's processes by mistake.
 */
export function encodePayload(payload: Payload, refs: RefTable, isPacked = false): unknown[] {
  const parts: unknown[] = []
  for (const [ref, { seen, rows }] of payload.parts) {
    const node = nodeOf(ref)
    parts.push([refs.indexOf(ref), seen, ...(isPacked ? packRows(rows, node) : [encodeRows(rows, node)])])
  }
  if (payload.mode === "full") return [parts]
  return [parts, encodeClocks(payload.start, refs), encodeClocks(payload.end, refs)]
}

function encodeRows(rows: readonly Row<TrackedMeta>[], node: string): unknown[] {
  return rows.map((row) => {
    const { pid, meta } = contentOf(row)
    return [row.clock, row.topic, nodePid(pid, node), row.key, meta]
  })
}

/**
 * Decodes a payload. Returns `undefined` if any part of it is invalid, because a payload is accepted as a whole or not
 * at all.
 */
export function decodePayload(json: unknown, refs: readonly string[]): Payload | undefined {
  if (!Array.isArray(json)) return undefined
  const parts = decodeParts(json[0], refs)
  if (parts === undefined) return undefined
  if (json.length === 1) return { mode: "full", parts }
  const start = decodeClocks(json[1], refs)
  const end = decodeClocks(json[2], refs)
  return start && end && { mode: "delta", parts, start, end }
}

function decodeParts(json: unknown, refs: readonly string[]): Parts<TrackedMeta> | undefined {
  if (!Array.isArray(json)) return undefined
  const parts = new Map<string, Part<TrackedMeta>>()
  for (const item of json as unknown[]) {
    if (!Array.isArray(item)) return undefined
    const [index, seen, ...body] = item as unknown[]
    const ref = refAt(refs, index)
    if (ref === undefined || !isRanges(seen)) return undefined
    const rows = body.length > 1 ? unpackRows(body, ref) : decodeRows(body[0], ref)
    if (rows === undefined) return undefined
    parts.set(ref, { seen, rows })
  }
  return parts
}

function decodeRows(json: unknown, ref: string): readonly Row<TrackedMeta>[] | undefined {
  if (!Array.isArray(json)) return undefined
  const node = nodeOf(ref)
  const rows: Row<TrackedMeta>[] = []
  for (const row of json as unknown[]) {
    if (!Array.isArray(row)) return undefined
    const [clock, topic, pid, key, meta] = row as unknown[]
    if (typeof clock !== "number" || !isClock(clock) || !isTrackedMeta(meta)) return undefined
    if (typeof topic !== "string" || typeof key !== "string" || !isPid(pid)) return undefined
    rows.push({ topic, pid: clusterPid(pid, node), key, meta: Object.freeze(meta), ref, clock })
  }
  return rows
}

function isRanges(value: unknown): value is readonly number[] {
  if (!Array.isArray(value) || value.length % 2 !== 0) return false
  let last = -1
  for (let i = 0; i < value.length; i += 2) {
    const [from, to] = [value[i] as unknown, value[i + 1] as unknown]
    if (typeof from !== "number" || typeof to !== "number" || !isClock(from) || !isClock(to)) return false
    if (from > to || from <= last + 1) return false
    last = to
  }
  return true
}
