/**
 * A TCP proxy that can make its connections half-open, slow, or reset. It runs in the process of the chaos.
 */
import { connect, createServer } from "node:net"

/** @typedef {"up" | "down"} Direction from the one that connected to the target, or back */

/** One proxied connection. */
class Pipe {
  /** The directions whose bytes, and whose end, are swallowed for good. @type {Set<Direction>} */
  swallows = new Set()
  #delayOf
  #client
  #target

  /**
   * @param {import("node:net").Socket} client
   * @param {import("node:net").Socket} target
   * @param {() => number} delayOf how long a chunk that arrives now is held back, in ms
   */
  constructor(client, target, delayOf) {
    this.#delayOf = delayOf
    this.#client = client
    this.#target = target
    this.#forward("up", client, target)
    this.#forward("down", target, client)
  }

  /** Whether the target has answered. */
  get isAnswered() {
    return this.#target.bytesRead > 0
  }

  get isOpen() {
    return !this.#client.destroyed || !this.#target.destroyed
  }

  reset() {
    this.#client.resetAndDestroy()
    this.#target.resetAndDestroy()
  }

  /** Forwards chunks in their order, each after the delay that held when it arrived. */
  #forward(direction, from, to) {
    /** @type {{ due: number, write: () => void }[]} */
    const queue = []
    let timer
    const flush = () => {
      timer = undefined
      while (queue.length > 0 && queue[0].due <= performance.now()) queue.shift()?.write()
      if (queue.length > 0) timer ??= setTimeout(flush, Math.max(1, queue[0].due - performance.now()))
    }
    const later = (write) => {
      queue.push({ due: Math.max(performance.now() + this.#delayOf(), queue.at(-1)?.due ?? 0), write })
      if (timer === undefined) flush()
    }
    from.on("data", (chunk) => {
      if (this.swallows.has(direction)) return
      later(() => {
        if (to.destroyed) return
        if (!to.write(chunk)) {
          from.pause()
          to.once("drain", () => from.resume())
        }
      })
    })
    from.on("error", () => undefined)
    from.on("close", () => {
      if (!this.swallows.has(direction)) later(() => to.destroy())
    })
  }
}

/** A port that forwards each connection to a target. */
export class Link {
  /** How long each chunk is held back, in ms. */
  delayMs = 0
  /** Pipe → the name of its target. @type {Map<Pipe, string>} */
  #pipes = new Map()
  #server
  #sockets = new Set()

  /** @param {() => { name: string, port: number } | undefined} targetOf the target of a new connection; none resets it */
  constructor(targetOf) {
    this.#server = createServer((client) => {
      const target = targetOf()
      client.on("error", () => undefined)
      if (target === undefined) return void client.resetAndDestroy()
      const upstream = connect(target.port, "127.0.0.1")
      for (const socket of [client, upstream]) {
        socket.setNoDelay()
        this.#sockets.add(socket)
        socket.once("close", () => this.#sockets.delete(socket))
      }
      const pipe = new Pipe(client, upstream, () => this.delayMs)
      this.#pipes.set(pipe, target.name)
    })
  }

  /** Returns the port. */
  async open() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", () => resolve(undefined)))
    return /** @type {import("node:net").AddressInfo} */ (this.#server.address()).port
  }

  /**
   * Makes the present connections half-open for good, as when a router forgets them. New ones are not affected, and neither are
   * those whose handshake is not answered yet: browsers give up such an attempt by themselves, after minutes.
   */
  swallow(/** @type {Direction} */ direction, name = "") {
    for (const pipe of this.#present(name)) if (pipe.isAnswered) pipe.swallows.add(direction)
  }

  reset(name = "") {
    for (const pipe of this.#present(name)) pipe.reset()
  }

  close() {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Returns the connections to one target, or all. */
  #present(name) {
    for (const pipe of this.#pipes.keys()) if (!pipe.isOpen) this.#pipes.delete(pipe)
    return [...this.#pipes].filter(([, target]) => name === "" || target === name).map(([pipe]) => pipe)
  }
}
