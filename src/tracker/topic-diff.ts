import type { Join, SetDiff } from "../crdt/set-diff.ts"
import { FoldedDiff, replacing } from "./folded-diff.ts"

/** The meta of a presence: its fields, and the `phx_ref` that identifies it among all metas. */
export type TrackedMeta = Readonly<Record<string, unknown>> & {
  readonly phx_ref: string
  readonly phx_ref_prev?: string
}

/** One presence: the process `pid` is in `topic` under `key`. */
export interface Row {
  readonly topic: string
  /** In the form `pid@node`, so that it is unique among all nodes. */
  readonly pid: string
  readonly key: string
  readonly meta: TrackedMeta
}

/**
 * The change in one topic: the previous rows without `leaves` and with `joins` are the current rows.
 *
 * An update is in both lists: its old row is in `leaves`, and its new row is in `joins`, with the old `phx_ref` in
 * `phx_ref_prev`. The old row is the one that this node showed until now, which need not be the one that the owner
 * replaced last: for the updates a→b→c, another node may see only that c replaces a (D13). A join without `phx_ref_prev`
 * replaces no row.
 */
export interface TopicDiff {
  readonly joins: readonly Row[]
  readonly leaves: readonly Row[]
}

/** The change that one operation, or one message from another node, has made, by topic. */
export type Diff = ReadonlyMap<string, TopicDiff>

/** Converts the set's diffs for one operation or one message into a single diff by topic. */
export function topicDiffs(changes: readonly SetDiff<TrackedMeta>[]): Diff {
  const { joins, leaves } = changes.length === 1 ? convert(changes[0]!) : fold(changes)
  const diffs = new Map<string, { readonly joins: Row[]; readonly leaves: Row[] }>()
  const diffOf = (topic: string): { readonly joins: Row[]; readonly leaves: Row[] } => {
    let diff = diffs.get(topic)
    if (diff === undefined) diffs.set(topic, (diff = { joins: [], leaves: [] }))
    return diff
  }
  for (const row of leaves) diffOf(row.topic).leaves.push(row)
  for (const row of joins) diffOf(row.topic).joins.push(row)
  return diffs
}

/**
 * Converts one diff of the set. A presence that only moved to its node's new ref is left out: its row under the new ref
 * arrived while the one under the old ref was still shown, and took its place.
 */
function convert({ joins, leaves }: SetDiff<TrackedMeta>): TopicDiff {
  if (joins.some(isMoved)) {
    const moved = new Set(joins.filter(isMoved).map((join) => join.meta.phx_ref))
    const isChange = (row: Row): boolean => !moved.has(row.meta.phx_ref)
    return convert({ joins: joins.filter(isChange), leaves: leaves.filter(isChange) })
  }
  return { joins: joins.map((join) => replacing(join, replacedRef(join))), leaves }
}

/**
 * Folds several diffs of the set into one, for two cases:
 * - A node returns with an update. Its old row joins again first, and then its new row replaces the old one, which no
 *   listener has seen.
 * - A node restarted under a new ref. It announces its rows again, and its old rows leave. For clients nothing has changed,
 *   and a client that applies joins first would lose the rows.
 */
function fold(changes: readonly SetDiff<TrackedMeta>[]): TopicDiff {
  const folded = new FoldedDiff()
  for (const change of changes) folded.add(convert(change))
  return folded.take()
}

function isMoved(join: Join<TrackedMeta>): boolean {
  return replacedRef(join) === join.meta.phx_ref
}

function replacedRef(join: Join<TrackedMeta>): string | undefined {
  return join.replaces?.meta.phx_ref
}
