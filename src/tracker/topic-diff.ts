import type { Diff as SetDiff, Join } from "../crdt/set-diff.ts"
import { FoldedDiff, replacing } from "./folded-diff.ts"

/** What is tracked: the fields of one device, with the reference that tells it from all others. */
export type TrackedMeta = Readonly<Record<string, unknown>> & {
  readonly phx_ref: string
  readonly phx_ref_prev?: string
}

/** One presence: `pid`, the process that holds it, is in `topic` under `key`. */
export interface Row {
  readonly topic: string
  /** With the name of its node, `pid@node`, and so unique among all nodes. */
  readonly pid: string
  readonly key: string
  readonly meta: TrackedMeta
}

/**
 * What changed in one topic: taking the leaves out of what was shown and putting the joins in gives what is shown now.
 *
 * An update is in both: its old row in `leaves`, its new one in `joins`, with `phx_ref_prev` naming the old one. It
 * names what this node showed until now, which is not always what the owner replaced last: of the updates a→b→c
 * another node may see c in the place of a (D13). A join without `phx_ref_prev` takes nobody's place.
 */
export interface TopicDiff {
  readonly joins: readonly Row[]
  readonly leaves: readonly Row[]
}

/** What changed, by topic: one operation, or one message from another node. */
export type Diff = ReadonlyMap<string, TopicDiff>

/** What the set tells of one operation or message, in one stroke or several, as one diff by topic. */
export function topicDiffs(changes: readonly SetDiff[]): Diff {
  const { joins, leaves } = changes.length === 1 ? single(changes[0]!) : folded(changes)
  const diffs = new Map<string, { readonly joins: Row[]; readonly leaves: Row[] }>()
  const of = (topic: string): { readonly joins: Row[]; readonly leaves: Row[] } => {
    let diff = diffs.get(topic)
    if (diff === undefined) diffs.set(topic, (diff = { joins: [], leaves: [] }))
    return diff
  }
  for (const row of leaves) of(row.topic).leaves.push(row)
  for (const row of joins) of(row.topic).joins.push(row)
  return diffs
}

function single({ joins, leaves }: SetDiff): TopicDiff {
  return { joins: joins.map((join) => replacing(rowOf(join), replacedBy(join))), leaves: leaves.map(rowOf) }
}

/**
 * Folds several changes of the set.
 *
 * A node that returns with an update brings its old row back first, and the new one then takes the place of a row that
 * nobody was shown. A node that restarted under a new ref announces its rows anew as its old ones end: for a client
 * nothing has happened, and one that applies joins first would lose them.
 */
function folded(changes: readonly SetDiff[]): TopicDiff {
  const fold = new FoldedDiff()
  for (const change of changes) fold.add(single(change))
  return fold.take()
}

function replacedBy(join: Join): string | undefined {
  return join.replaces && rowOf(join.replaces).meta.phx_ref
}

/** All metas in the set have a `phx_ref`: this tracker gives its own one, and takes none from elsewhere without. */
function rowOf(row: object): Row {
  return row as Row
}
