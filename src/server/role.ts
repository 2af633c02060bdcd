/**
 * What a process is to `listen({ workers })`: `single` when it serves by itself, `primary` when it only forks and relays,
 * `worker` when it is one of those that were forked.
 */
export type Role = "single" | "primary" | "worker"

/** Tells a forked process that it is a worker, and what all workers of a primary sign their tokens with. */
export const WORKER_SECRET = "ROLLCALL_WORKER_SECRET"

/** Where it is kept for whoever asks later: this module may be in a process more than once. */
const KEPT = Symbol.for("rollcall.workerSecret")
const kept = globalThis as { [KEPT]?: string | undefined }

/** Taken out of the environment, which processes that a worker starts inherit: they are no workers, and not to know it. */
if (typeof process !== "undefined" && process.env[WORKER_SECRET] !== undefined) {
  kept[KEPT] = process.env[WORKER_SECRET]
  delete process.env[WORKER_SECRET]
}

/** The secret of this process's primary; `undefined` in a process that is no worker, and where there are no processes. */
export function workerSecret(): string | undefined {
  return kept[KEPT]
}

/** This node's name among others: the given one, to which workers, who are all given the same, add; random by default. */
export function nodeName(given: string | undefined): string {
  if (given === undefined) return randomText(8)
  return workerSecret() === undefined ? given : `${given}-${randomText(4)}`
}

/** What clients are kept from making up: as many bytes from the platform's cryptographic randomness, in hexadecimal. */
export function randomText(bytes: number): string {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes))
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
