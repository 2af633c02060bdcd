import type { Cluster } from "./cluster.js"
import type { Shown } from "./cluster-node.js"
import { listOf } from "./sentences.js"

/** Whether all running nodes show the same people, and if not, what differs. */
export interface Agreement {
  readonly agrees: boolean
  readonly text: string
  /** Node → the keys that it lacks, and those that it shows although nobody holds them. */
  readonly differences: ReadonlyMap<string, Difference>
}

/** How a node's view differs from the truth. */
export interface Difference {
  readonly lacks: readonly string[]
  readonly shows: readonly string[]
  /** The rows behind `shows`. */
  readonly ghosts: readonly Shown[]
}

/** Compares what each running node shows with what the nodes themselves hold: the people who are really connected. */
export function agreementOf(cluster: Cluster): Agreement {
  const running = cluster.nodes.filter(({ isUp }) => isUp)
  const held = running.flatMap(({ name, shown }) => shown.filter(({ node }) => node === name))
  const differences = new Map<string, Difference>()
  for (const { name, shown } of running) {
    const lacks = held.filter((one) => !shown.some((other) => isSame(one, other)))
    const ghosts = shown.filter((one) => !held.some((other) => isSame(one, other)))
    if (lacks.length + ghosts.length > 0) {
      differences.set(name, { lacks: keysOf(lacks), shows: keysOf(ghosts), ghosts })
    }
  }
  const agrees = differences.size === 0
  return { agrees, differences, text: agrees ? agreed(running.length, keysOf(held)) : disagreed(cluster, differences) }
}

function agreed(count: number, keys: readonly string[]): string {
  if (count === 0) return "No node runs."
  const who = keys.length === 0 ? "nobody is here" : `${listOf(keys)} ${keys.length === 1 ? "is" : "are"} here`
  return count === 1 ? `The only node says: ${who}.` : `All ${count} nodes agree: ${who}.`
}

function disagreed(cluster: Cluster, differences: Agreement["differences"]): string {
  const parts = Array.from(differences, ([node, { lacks, shows }]) => {
    const missing = lacks.length > 0 ? [`does not know ${listOf(lacks)}`] : []
    const old = shows.length > 0 ? [`still shows ${listOf(shows)}${both(lacks, shows)}`] : []
    return `${node} ${[...missing, ...old].join(" and ")}`
  })
  const why = cluster.cut.length > 0 ? " While the network is cut, that must be so." : ""
  return `Not yet: ${parts.join("; ")}.${why}`
}

/** Somebody who has changed is lacking as it is, and shown as it was. */
const both = (lacks: readonly string[], shows: readonly string[]): string =>
  shows.some((key) => lacks.includes(key)) ? " as before" : ""

const isSame = (one: Shown, other: Shown): boolean =>
  one.key === other.key && one.node === other.node && one.clock === other.clock
const keysOf = (shown: readonly Shown[]): string[] => Array.from(new Set(shown.map(({ key }) => key))).sort()
