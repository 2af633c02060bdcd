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
 * An update is in both: its old row in `leaves`, its new row in `joins`, with the old `phx_ref` in `phx_ref_prev`. That
 * is the row that this node showed until now, not always the one that the owner replaced last: of the updates a→b→c
 * another node may see only that c replaces a (D13). A join without `phx_ref_prev` replaces no row.
 */
export interface TopicDiff {
  readonly joins: readonly Row[]
  readonly leaves: readonly Row[]
}

/** The change by topic that one operation, or one message from another node, has made. */
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

function convert({ joins, leaves }: SetDiff<TrackedMeta>): TopicDiff {
  return { joins: joins.map((join) => replacing(join, replacedRef(join))), leaves }
}

/**
 * Folds several diffs of the set into one, for two cases:
 * - A node that returns with an update first brings back its old row. The new row then replaces a row that no listener
 *   has seen.
 * - A node that restarted under a new ref announces its rows again while its old ones leave. For a client nothing has
 *   changed, and a client that applies joins first would lose the rows.
 */
function fold(changes: readonly SetDiff<TrackedMeta>[]): TopicDiff {
  const folded = new FoldedDiff()
  for (const change of changes) folded.add(convert(change))
  return folded.take()
}

function replacedRef(join: Join<TrackedMeta>): string | undefined {
  return join.replaces?.meta.phx_ref
}
