import { randomText } from "./phx-ref.ts"

/** Chance of its own for each start of a node: 60 bits, so that no two starts ever share a ref. */
const VERSION_LENGTH = 10

/**
 * A replica's ref: its node's name and a random version, drawn at each start (D10).
 *
 * The version is never compared by order: a node whose clock was set back would otherwise count as older than its own past.
 */
export function newRef(node: string, random: () => number): string {
  return node + randomText(random, VERSION_LENGTH)
}

/** The name of the node that a ref was made for. The version has a fixed length, so any name is safe. */
export function nodeOf(ref: string): string {
  return ref.slice(0, -VERSION_LENGTH)
}

/** Whether a string that came from elsewhere can be a ref: a name of 1 to 255 characters, and a version. */
export function isRef(value: unknown): value is string {
  return typeof value === "string" && value.length > VERSION_LENGTH && value.length <= 255 + VERSION_LENGTH
}

/**
 * A pid of one node, made unique among all nodes.
 *
 * Two servers that both count their sockets from 1 hold different processes, and the set tells rows apart by pid:
 * with the bare number, a user with a device on each of them would be shown with one. The first `@` is where the node
 * begins: one in the pid is written `%40`, since a node's name may have some of its own.
 */
export function clusterPid(pid: string, node: string): string {
  return `${/[%@]/.test(pid) ? escaped(pid) : pid}@${node}`
}

/** The pid as its own node calls it. */
export function nodePid(pid: string, node: string): string {
  const own = pid.slice(0, pid.length - node.length - 1)
  return own.includes("%") ? own.replaceAll("%40", "@").replaceAll("%25", "%") : own
}

function escaped(pid: string): string {
  return pid.replaceAll("%", "%25").replaceAll("@", "%40")
}
