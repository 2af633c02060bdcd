/**
 * The role of a process in `listen({ workers })`: `single` serves clients alone, `primary` forks the workers and relays messages
 * between them, `worker` is one of the forked processes and serves clients.
 */
export type Role = "single" | "primary" | "worker"

/**
 * The environment variable that makes a forked process a worker. Its value is the secret with which all workers of one primary
 * sign their long-poll tokens.
 */
export const WORKER_SECRET = "ROLLCALL_WORKER_SECRET"

/** The property of `globalThis` that stores the secret, because a process may load this module more than once. */
const KEPT_SECRET = Symbol.for("rollcall.workerSecret")
const store = globalThis as { [KEPT_SECRET]?: string | undefined }

/**
 * Returns the secret that the primary has given to this worker. Returns `undefined` in a process that is no worker, and on
 * platforms without processes.
 *
 * The first call removes the secret from the environment. Otherwise a program that a worker starts would inherit the secret
 * and act as a worker.
 */
export function workerSecret(): string | undefined {
  const environment = typeof process === "undefined" ? undefined : process.env
  if (environment?.[WORKER_SECRET] !== undefined) {
    store[KEPT_SECRET] = environment[WORKER_SECRET]
    delete environment[WORKER_SECRET]
  }
  return store[KEPT_SECRET]
}

/**
 * Returns this node's name in the cluster: the given name, or a random one. A worker adds a random suffix to the given name,
 * because all workers of a program get the same one.
 */
export function nodeName(given: string | undefined): string {
  if (given === undefined) return randomHex(8)
  return workerSecret() === undefined ? given : `${given}-${randomHex(4)}`
}

/** Returns random bytes in hexadecimal. They are cryptographically random: clients cannot guess names and secrets made of them. */
export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes))
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
