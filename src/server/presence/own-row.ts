import { nodePid } from "../../tracker/replica-ref.ts"
import type { Row, Tracker } from "../../tracker/tracker.ts"

/** Returns the name of the node that a row belongs to. The first `@` of a row's pid separates pid and node. */
export const nodeOfRow = ({ pid }: Row): string => pid.slice(pid.indexOf("@") + 1)

/** Returns the pid of a row as its own node knows it. */
const ownPid = (row: Row): string => nodePid(row.pid, nodeOfRow(row))

/** Whether a row belongs to this node. The tracker decides, since a program's own tracker may have another name than the bus. */
export function isOwnRow(tracker: Tracker, row: Row): boolean {
  return tracker.getByPid(ownPid(row), row.topic).some(({ pid, key }) => pid === row.pid && key === row.key)
}

/** Returns the rows of this node in a topic, each with its pid on this node. */
export function ownRowsOf(tracker: Tracker, topic: string): { readonly pid: string; readonly row: Row }[] {
  return tracker.list(topic).flatMap((row) => (isOwnRow(tracker, row) ? [{ pid: ownPid(row), row }] : []))
}
