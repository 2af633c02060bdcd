import type { PortName } from "./worker-port.ts"

/** A port that worker processes serve, or have served. */
export interface ServedPort extends PortName {
  /** The number of the port, once it is open. */
  bound?: number
  /** What has been closed: the port alone, or its whole server. */
  closed?: "port" | "server"
}

/** The ports with workers of this process, in the order of their names. Each worker opens all of them. */
export class ServedPorts {
  readonly #ports: ServedPort[] = []

  add({ requested, ordinal }: PortName): ServedPort {
    const port: ServedPort = { requested, ordinal }
    this.#ports.push(port)
    return port
  }

  /** Removes a port that could not be opened. A port that was open stays, since new workers may open it again. */
  remove(port: ServedPort): void {
    this.#ports.splice(this.#ports.indexOf(port), 1)
  }

  find({ requested, ordinal }: PortName): ServedPort | undefined {
    return this.#ports.find((port) => port.requested === requested && port.ordinal === ordinal)
  }

  /** Returns the numbers of the ports that the operating system has picked, by ordinal. */
  picked(): readonly number[] {
    return this.#ports.filter(({ requested }) => requested === 0).map(({ bound = 0 }) => bound)
  }
}
