/**
 * The part that a process plays in `listen({ workers })`: `single` serves by itself, `primary` forks the workers and
 * passes messages between them, `worker` is one of the forked processes and serves.
 */
export type Role = "single" | "primary" | "worker"

/**
 * The environment variable by which a primary makes a forked process its worker. Its value is the secret with which all
 * workers of that primary sign their long-poll tokens.
 */
export const WORKER_SECRET = "ROLLCALL_WORKER_SECRET"

/** The property of `globalThis` that keeps the secret: a process may load this module more than once. */
const KEPT_SECRET = Symbol.for("rollcall.workerSecret")
const store = globalThis as { [KEPT_SECRET]?: string | undefined }

/**
 * Returns the secret that this process's primary has given it; `undefined` in a process that is no worker, and on
 * platforms without processes.
 *
 * The first call takes the secret out of the environment. Otherwise a program that a worker starts would inherit it,
 * and would take itself for a worker.
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
 * Returns this node's name in the cluster: the given name, or a random one. A worker adds a random suffix to the given
 * name, since all workers of a program are given the same one.
 */
export function nodeName(given: string | undefined): string {
  if (given === undefined) return randomText(8)
  return workerSecret() === undefined ? given : `${given}-${randomText(4)}`
}

/**
 * Returns that many bytes of cryptographic randomness in hexadecimal, for names and secrets that no client may guess.
 */
export function randomText(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes))
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
