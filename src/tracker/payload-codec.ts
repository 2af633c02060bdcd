import type { VersionVector } from "../crdt/clock.ts"
import type { Part, Parts } from "../crdt/replica-dots.ts"
import type { FullState } from "../crdt/orswot.ts"
import type { Delta } from "../crdt/delta.ts"
import { isClock } from "../crdt/ranges.ts"
import type { Row } from "../crdt/row.ts"
import { clusterPid, nodeOf, nodePid } from "./replica-ref.ts"

/** The refs that a message names, each once: elsewhere a ref is its place in here. */
export class RefTable {
  readonly all: string[] = []
  readonly #places = new Map<string, number>()

  constructor(first: string) {
    this.place(first)
  }

  place(ref: string): number {
    const known = this.#places.get(ref)
    if (known !== undefined) return known
    this.#places.set(ref, this.all.length)
    return this.all.push(ref) - 1
  }
}

/** The ref in that place; `undefined` for what is no place, a name of Array's own among it. */
export function refAt(refs: readonly string[], place: unknown): string | undefined {
  return typeof place === "number" ? refs[place] : undefined
}

/** A version vector as JSON: `[ref, clock, ref, clock, …]`. */
export function encodeClocks(clocks: VersionVector, refs: RefTable): number[] {
  const json: number[] = []
  for (const [ref, clock] of clocks) json.push(refs.place(ref), clock)
  return json
}

/** Reads a version vector; `undefined` when it is none. */
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
 * A delta or a full state as JSON: `[parts]` or `[parts, start, end]`.
 *
 * A part is `[ref, seen, rows]`, a row `[clock, topic, pid, key, meta]`. The pid is as its own node calls it: which
 * node that is follows from the ref, so that no node can speak of another's processes by mistake.
 */
export function encodePayload(payload: Delta | FullState, refs: RefTable): unknown[] {
  const parts: unknown[] = []
  for (const [ref, { seen, rows }] of payload.parts) {
    const node = nodeOf(ref)
    parts.push([
      refs.place(ref),
      seen,
      rows.map(({ clock, topic, pid, key, meta }) => [clock, topic, nodePid(pid, node), key, meta]),
    ])
  }
  if (payload.mode === "full") return [parts]
  return [parts, encodeClocks(payload.start, refs), encodeClocks(payload.end, refs)]
}

/** Reads a payload; `undefined` when any part of it is not as it should be: it is taken in whole or not at all. */
export function decodePayload(json: unknown, refs: readonly string[]): Delta | FullState | undefined {
  if (!Array.isArray(json)) return undefined
  const parts = decodeParts(json[0], refs)
  if (parts === undefined) return undefined
  if (json.length === 1) return { mode: "full", parts }
  const start = decodeClocks(json[1], refs)
  const end = decodeClocks(json[2], refs)
  return start && end && { mode: "delta", parts, start, end }
}

function decodeParts(json: unknown, refs: readonly string[]): Parts | undefined {
  if (!Array.isArray(json)) return undefined
  const parts = new Map<string, Part>()
  for (const item of json as unknown[]) {
    if (!Array.isArray(item)) return undefined
    const [place, seen, rows] = item as unknown[]
    const ref = refAt(refs, place)
    if (ref === undefined || !isRanges(seen) || !Array.isArray(rows)) return undefined
    const decoded: Row[] = []
    const node = nodeOf(ref)
    for (const row of rows as unknown[]) {
      const read = decodeRow(row, ref, node)
      if (read === undefined) return undefined
      decoded.push(read)
    }
    parts.set(ref, { seen, rows: decoded })
  }
  return parts
}

function decodeRow(json: unknown, ref: string, node: string): Row | undefined {
  if (!Array.isArray(json)) return undefined
  const [clock, topic, pid, key, meta] = json as unknown[]
  if (typeof clock !== "number" || !isClock(clock) || !isMeta(meta)) return undefined
  if (typeof topic !== "string" || typeof pid !== "string" || typeof key !== "string") return undefined
  return { topic, pid: clusterPid(pid, node), key, meta: Object.freeze(meta), ref, clock }
}

/** A meta that came over the bus: whoever folds diffs tells metas apart by `phx_ref`, so there is none without. */
function isMeta(value: unknown): value is Row["meta"] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const { phx_ref: ref, phx_ref_prev: previous } = value as Record<string, unknown>
  return typeof ref === "string" && (previous === undefined || typeof previous === "string")
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

/** Whether a value is a whole number from 0 up. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
