/** Returns the reference that a channel's messages carry: the join's reference, or its `ref` when it has none (P10). */
export function referenceOf({ joinRef, ref }: { readonly joinRef: unknown; readonly ref: unknown }): unknown {
  return joinRef === null || joinRef === false ? ref : joinRef
}

/**
 * Returns whether a message is for the channel of a join, not for an earlier join of its topic. One without a join reference
 * always is.
 *
 * @param own the reference that the join had
 */
export function isForJoin(own: unknown, joinRef: unknown): boolean {
  // A reference may be any JSON value, and has to be equal in type and value: 20 is not "20" (recorded case 04).
  if (joinRef === null || joinRef === own) return true
  return typeof joinRef === "object" && JSON.stringify(joinRef) === JSON.stringify(own)
}
