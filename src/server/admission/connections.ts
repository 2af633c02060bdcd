import type { Socket } from "../connection/socket.ts"

/** The connections that a server has, and how to find them: by the id that names their user, by their address. */
export class Connections {
  readonly #all = new Set<Socket>()
  readonly #ids = new Map<string, Set<Socket>>()
  readonly #addresses = new Map<string, number>()

  get size(): number {
    return this.#all.size
  }

  add(socket: Socket): void {
    const { address } = socket
    this.#all.add(socket)
    if (address !== undefined) this.#addresses.set(address, this.from(address) + 1)
    if (socket.id === undefined) return
    this.#ids.set(socket.id, (this.#ids.get(socket.id) ?? new Set()).add(socket))
  }

  delete(socket: Socket): void {
    const { address } = socket
    if (!this.#all.delete(socket)) return
    if (address !== undefined) {
      const left = this.from(address) - 1
      if (left > 0) this.#addresses.set(address, left)
      else this.#addresses.delete(address)
    }
    if (socket.id === undefined) return
    const same = this.#ids.get(socket.id)
    same?.delete(socket)
    if (same?.size === 0) this.#ids.delete(socket.id)
  }

  /** Everyone; changes as they come and go. */
  all(): ReadonlySet<Socket> {
    return this.#all
  }

  named(id: string): Iterable<Socket> {
    return this.#ids.get(id) ?? []
  }

  /** How many come from an address. */
  from(address: string): number {
    return this.#addresses.get(address) ?? 0
  }
}
