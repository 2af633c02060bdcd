/**
 * The name of a port with workers, which is the same in the primary and in all workers, because all of them run the same
 * program: the port in the options of `listen`, and how many `listen({ workers })` with that port came before it.
 */
export interface PortName {
  readonly requested: number
  readonly ordinal: number
}

/** How many ports with workers have been opened in this process, by the port in the options of `listen`. */
const opened = new Map<number, number>()

/** Returns the name of the next port with workers. `forget` takes it back: a `listen` that failed may be called again. */
export function namePort(requested: number): PortName & { forget(): void } {
  const ordinal = opened.get(requested) ?? 0
  opened.set(requested, ordinal + 1)
  return { requested, ordinal, forget: () => void opened.set(requested, (opened.get(requested) ?? 1) - 1) }
}

/**
 * The environment variable with the ports that a worker opens where its program asks for port 0: their numbers by ordinal,
 * separated by commas.
 *
 * A worker gets it when no other worker has the ports open any more. The operating system would pick other ports, while clients
 * and load balancers know the first ones.
 */
export const WORKER_PORTS = "ROLLCALL_WORKER_PORTS"

/** Returns the port that a worker must open for a name. */
export function portOfWorker({ requested, ordinal }: PortName): number {
  const known = process.env[WORKER_PORTS]?.split(",")[ordinal]
  return requested === 0 && known ? Number(known) : requested
}
