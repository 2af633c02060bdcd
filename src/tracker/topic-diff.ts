import { isSealed, opened } from "../crdt/sealed-row.ts"
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
  if (changes.length > 1) return byTopic(fold(changes))
  const diffs: Map<string, TopicDiff> = byTopic(withoutMoved(changes[0]!))
  for (const [topic, { joins, leaves }] of diffs as Map<string, SetDiff<TrackedMeta>>) {
    const hasSealed = joins.some(isSealed) || leaves.some(isSealed)
    diffs.set(topic, hasSealed ? openedWhenRead(joins, leaves) : { joins: joins.map(joinOf), leaves })
  }
  return diffs
}

/** Groups rows by topic. */
function byTopic<J extends Row, L extends Row>(diff: {
  readonly joins: readonly J[]
  readonly leaves: readonly L[]
}): Map<string, { readonly joins: J[]; readonly leaves: L[] }> {
  const diffs = new Map<string, { readonly joins: J[]; readonly leaves: L[] }>()
  const diffOf = (topic: string): { readonly joins: J[]; readonly leaves: L[] } => {
    let diff = diffs.get(topic)
    if (diff === undefined) diffs.set(topic, (diff = { joins: [], leaves: [] }))
    return diff
  }
  for (const row of diff.leaves) diffOf(row.topic).leaves.push(row)
  for (const row of diff.joins) diffOf(row.topic).joins.push(row)
  return diffs
}

/** Returns a diff whose rows are opened when a listener reads them: most listeners read few topics. */
function openedWhenRead(joins: SetDiff<TrackedMeta>["joins"], leaves: SetDiff<TrackedMeta>["leaves"]): TopicDiff {
  let shown: readonly Row[] | undefined
  let left: readonly Row[] | undefined
  return {
    get joins() {
      return (shown ??= joins.map(joinOf))
    },
    get leaves() {
      return (left ??= leaves.map(opened))
    },
  }
}

/** Leaves out the presences that only moved to their node's new ref: a row under it took the place of one under the old ref. */
function withoutMoved({ joins, leaves }: SetDiff<TrackedMeta>): SetDiff<TrackedMeta> {
  if (!joins.some(isMoved)) return { joins, leaves }
  const moved = new Set(joins.filter(isMoved).map((join) => join.meta.phx_ref))
  const isChange = (row: SetDiff<TrackedMeta>["leaves"][number]): boolean => !moved.has(opened(row).meta.phx_ref)
  return { joins: joins.filter(isChange), leaves: leaves.filter(isChange) }
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
  for (const change of changes) {
    const { joins, leaves } = withoutMoved(change)
    folded.add({ joins: joins.map(joinOf), leaves: leaves.map(opened) })
  }
  return folded.take()
}

/** Returns a row that joined as listeners get it: its `phx_ref_prev` names the row that it replaces here, if there is one. */
function joinOf(join: Join<TrackedMeta>): Row {
  return replacing(opened(join), replacedRef(join))
}

function isMoved(join: Join<TrackedMeta>): boolean {
  return join.replaces !== undefined && replacedRef(join) === join.meta.phx_ref
}

function replacedRef(join: Join<TrackedMeta>): string | undefined {
  return join.replaces?.meta.phx_ref
}
