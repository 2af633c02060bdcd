import type { Socket } from "../connection/socket.ts"

/**
 * The open connections of a server, indexed by their address, and by their disconnect id. By the id, those whose channels are still
 * ending are found, too.
 */
export class Connections {
  readonly #all = new Set<Socket>()
  readonly #byId = new Map<string, Set<Socket>>()
  readonly #countByAddress = new Map<string, number>()

  get size(): number {
    return this.#all.size
  }

  add(socket: Socket): void {
    const { address, id } = socket
    this.#all.add(socket)
    if (address !== undefined) this.#countByAddress.set(address, this.countFrom(address) + 1)
    if (id === undefined) return
    this.#byId.set(id, (this.#byId.get(id) ?? new Set()).add(socket))
  }

  /** Removes a connection, except from the index by disconnect id; does nothing when it was removed before. */
  delete(socket: Socket): void {
    const { address } = socket
    if (!this.#all.delete(socket) || address === undefined) return
    const remaining = this.countFrom(address) - 1
    if (remaining > 0) this.#countByAddress.set(address, remaining)
    else this.#countByAddress.delete(address)
  }

  /** Removes a connection from the index by disconnect id. */
  deleteId(socket: Socket): void {
    const { id } = socket
    if (id === undefined) return
    const sameId = this.#byId.get(id)
    sameId?.delete(socket)
    if (sameId?.size === 0) this.#byId.delete(id)
  }

  /** Returns all connections, as a live set: it changes when connections open and end. */
  all(): ReadonlySet<Socket> {
    return this.#all
  }

  /** Returns the connections with a disconnect id. */
  withId(id: string): Iterable<Socket> {
    return this.#byId.get(id) ?? []
  }

  /** Returns the number of connections from an address. */
  countFrom(address: string): number {
    return this.#countByAddress.get(address) ?? 0
  }
}
