import type { Row } from "../../tracker/tracker.ts"

/** The rows of one node, oldest channel first. */
interface NodeRows {
  readonly node: string
  readonly rows: Row[]
}

/**
 * The rows of one user, one for each device, in the order in which their channels joined. A device that is tracked again keeps
 * the place of its channel (recorded case 02).
 *
 * Channels of different nodes cannot be compared, so nodes are in the order of their first row. A change costs a binary search,
 * or a single comparison for the newest channel: a key may have ten thousand rows.
 */
export class DeviceRows {
  readonly #nodes: NodeRows[]

  constructor(rows: Iterable<Row> = []) {
    this.#nodes = []
    for (const row of rows) this.put(row)
  }

  get isEmpty(): boolean {
    return this.#nodes.length === 0
  }

  /** The oldest row, or `undefined`. */
  get first(): Row | undefined {
    return this.#nodes[0]?.rows[0]
  }

  copy(): DeviceRows {
    const copy = new DeviceRows()
    for (const { node, rows } of this.#nodes) copy.#nodes.push({ node, rows: [...rows] })
    return copy
  }

  /** Adds a row. If there is an older row of its channel, replaces that row. */
  put(row: Row): void {
    const name = nodeOf(row.pid)
    const found = this.#nodes.find(({ node }) => node === name)
    if (found === undefined) {
      this.#nodes.push({ node: name, rows: [row] })
      return
    }
    const at = placeOf(found.rows, row.pid)
    found.rows.splice(at, found.rows[at]?.pid === row.pid ? 1 : 0, row)
  }

  /** Removes a row. If another row of the same channel has replaced it, that row stays. */
  delete(row: Row): void {
    const name = nodeOf(row.pid)
    const index = this.#nodes.findIndex(({ node }) => node === name)
    const rows = this.#nodes[index]?.rows ?? []
    const at = placeOf(rows, row.pid)
    if (rows[at]?.pid !== row.pid || rows[at].meta.phx_ref !== row.meta.phx_ref) return
    rows.splice(at, 1)
    if (rows.length === 0) this.#nodes.splice(index, 1)
  }

  *[Symbol.iterator](): Iterator<Row> {
    for (const { rows } of this.#nodes) yield* rows
  }
}

/** Returns the index of a channel's row, or the index at which to insert it. */
function placeOf(rows: readonly Row[], pid: string): number {
  let [low, high] = [0, rows.length]
  // Most rows that are added are of the newest channel.
  let middle = high - 1
  while (low < high) {
    const order = byAge(rows[middle]!.pid, pid)
    if (order === 0) return middle
    if (order < 0) low = middle + 1
    else high = middle
    middle = (low + high) >> 1
  }
  return low
}

/** Returns rows in the order of `DeviceRows`. A diff may have several rows of one channel; these keep their order. */
export function inDeviceOrder(rows: readonly Row[]): readonly Row[] {
  const nodes = new Map<string, Row[]>()
  for (const row of rows) {
    const node = nodeOf(row.pid)
    const known = nodes.get(node)
    if (known === undefined) nodes.set(node, [row])
    else known.push(row)
  }
  return [...nodes.values()].flatMap((node) => node.sort((one, other) => byAge(one.pid, other.pid)))
}

const nodeOf = (pid: string): string => pid.slice(pid.indexOf("@"))

/** Compares the channels of one node by their numbers, which rise with each join. A number with fewer digits is smaller. */
const byAge = (one: string, other: string): number =>
  one.length - other.length || (one < other ? -1 : one === other ? 0 : 1)
