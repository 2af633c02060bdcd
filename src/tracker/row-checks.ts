import type { TrackedMeta } from "./topic-diff.ts"

/** Returns whether a value is a safe integer of at least 0. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Returns whether a value from another node is a pid. Packed rows have decimal pids as numbers. */
export function isPid(value: unknown): value is string | number {
  return typeof value === "string" || isCount(value)
}

/**
 * Returns whether a value from another node is a meta with a `phx_ref`. Clients that apply diffs identify metas by it.
 */
export function isTrackedMeta(value: unknown): value is TrackedMeta {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const { phx_ref: ref, phx_ref_prev: previous } = value as Record<string, unknown>
  return typeof ref === "string" && (previous === undefined || typeof previous === "string")
}
