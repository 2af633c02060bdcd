import { randomText } from "./phx-ref.ts"

/**
 * The length of the random version in a ref, in characters. It has 60 bits, so that no two starts of a node share a
 * ref.
 */
const VERSION_LENGTH = 10

/**
 * Creates the ref of a replica: the node's name, followed by a version that is drawn at random at each start (D10).
 *
 * Versions are compared for equality only, never for order. If they were ordered by time, a restarted node whose clock was
 * set back would count as older than its previous incarnation.
 */
export function newRef(node: string, random: () => number): string {
  return node + randomText(random, VERSION_LENGTH)
}

/** Returns the name of the node in a ref. The version has a fixed length, so a name can contain any character. */
export function nodeOf(ref: string): string {
  return ref.slice(0, -VERSION_LENGTH)
}

/** Returns whether a value from another node can be a ref: a name of 1 to 255 characters, and a version. */
export function isRef(value: unknown): value is string {
  return typeof value === "string" && value.length > VERSION_LENGTH && value.length <= 255 + VERSION_LENGTH
}

/**
 * Returns a node's pid in the form `pid@node`, which is unique among all nodes.
 *
 * The set identifies rows by pid, but two servers that both number their sockets from 1 have different processes with the
 * same pid. Without the node, a user with a device on each server would be shown with one device. The first `@` separates
 * pid and node. An `@` in the pid is written as `%40`, since the node's name may contain an `@`, too.
 */
export function clusterPid(pid: string | number, node: string): string {
  if (typeof pid === "number") return `${pid}@${node}`
  // A template would keep its parts as strings of their own, which takes up to twice the memory.
  return [/[%@]/.test(pid) ? escaped(pid) : pid, node].join("@")
}

/** Returns the pid as its own node knows it: the inverse of `clusterPid`. */
export function nodePid(pid: string, node: string): string {
  const own = pid.slice(0, pid.length - node.length - 1)
  return own.includes("%") ? own.replaceAll("%40", "@").replaceAll("%25", "%") : own
}

function escaped(pid: string): string {
  return pid.replaceAll("%", "%25").replaceAll("@", "%40")
}
