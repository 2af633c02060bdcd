import type { Diff as SetDiff, Join } from "../crdt/diff.ts"

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

/** What the set tells of one operation or message, in one or several strokes, as one diff by topic. */
export function topicDiffs(changes: readonly SetDiff[]): Diff {
  const diffs = new Map<string, { readonly joins: Row[]; readonly leaves: Row[] }>()
  const of = (topic: string): { readonly joins: Row[]; readonly leaves: Row[] } => {
    let diff = diffs.get(topic)
    if (diff === undefined) diffs.set(topic, (diff = { joins: [], leaves: [] }))
    return diff
  }
  const stayed = changes.length > 1 ? stayedOf(changes) : undefined
  for (const { joins, leaves } of changes) {
    for (const row of leaves) if (!stayed?.has(refOf(row))) of(row.topic).leaves.push(row as object as Row)
    for (const row of joins) if (!stayed?.has(refOf(row))) of(row.topic).joins.push(joinedRow(row))
  }
  return diffs
}

/**
 * The metas that left and joined: a node that restarted under a new ref announces its rows anew, in the message that
 * ends its old ones. For whoever folds diffs nothing happened, and a client that takes the joins first would lose them.
 */
function stayedOf(changes: readonly SetDiff[]): ReadonlySet<unknown> {
  const left = new Set(changes.flatMap(({ leaves }) => leaves.map(refOf)))
  return new Set(changes.flatMap(({ joins }) => joins.map(refOf)).filter((ref) => left.has(ref)))
}

function joinedRow(join: Join): Row {
  const row = join as object as Row
  const replaced = join.replaces && (refOf(join.replaces) as string)
  if (row.meta.phx_ref_prev === replaced) return row
  const { phx_ref_prev: _, ...fields } = row.meta
  const meta = replaced === undefined ? fields : { ...fields, phx_ref_prev: replaced }
  return { topic: row.topic, pid: row.pid, key: row.key, meta: Object.freeze(meta) as TrackedMeta }
}

function refOf(row: { readonly meta: Readonly<Record<string, unknown>> }): unknown {
  return row.meta["phx_ref"]
}
