import { ConfigError } from "../../error.ts"
import { LIMIT_EXCEEDED, SERVICE_RESTART } from "../../wire/close-codes.ts"
import { isPromise } from "../awaitable.ts"
import type { Awaitable } from "../awaitable.ts"
import { Connections } from "./connections.ts"
import { identify } from "./mount.ts"
import type { Identity } from "../connection/identity.ts"
import type { SocketHandlers } from "./mount.ts"
import { checkOrigins } from "./origins.ts"
import { Socket } from "../connection/socket.ts"
import type { SocketRuntime } from "../connection/socket.ts"
import type { Admission, Handshake, Outlet } from "../transport.ts"

const CLOSING: Admission = { ok: false, status: 503, reason: "closing" }

/** Where clients come in, by the paths that are mounted: open until the server closes. */
export class AdmissionControl {
  readonly connections: Connections = new Connections()
  readonly #runtime: () => SocketRuntime
  readonly #mounts = new Map<string, SocketHandlers<object>>()
  /** The paths by transport, once they have been asked for. */
  readonly #paths = new Map<string, readonly string[]>()
  /** Those about whom is being decided: what turns each away. */
  readonly #deciding = new Set<() => void>()
  #isShut = false

  /** @param runtime what the sockets share, which knows of this door */
  constructor(runtime: () => SocketRuntime) {
    this.#runtime = runtime
  }

  /** @throws ConfigError */
  mount(path: string, handlers: SocketHandlers<object>): void {
    if (!path.startsWith("/") || path.length < 2) throw new ConfigError(`expected a path like "/socket", got "${path}"`)
    checkOrigins(handlers.origins ?? true)
    this.#mounts.set(path.replace(/\/+$/, ""), handlers)
    this.#paths.clear()
  }

  /** The paths that a transport serves, by the transport's name. */
  paths(transport: string): readonly string[] {
    const known = this.#paths.get(transport)
    if (known !== undefined) return known
    const mounts = [...this.#mounts].filter(
      ([, { transports }]) => transports?.some((name) => name === transport) ?? true,
    )
    const paths = mounts.map(([path]) => path)
    this.#paths.set(transport, paths)
    return paths
  }

  /** Decides whether a client comes in. Never throws, never rejects. */
  admit(handshake: Handshake): Awaitable<Admission> {
    const handlers = this.#mounts.get(handshake.path)
    if (handlers === undefined) return { ok: false, status: 404, reason: "not found" }
    if (this.#isShut) return CLOSING
    const { count, logger, limits, serializers } = this.#runtime()
    // To learn an address is a system call for each client, so that nobody is asked for one that nothing depends on.
    const address = limits.maxConnectionsPerAddress === Infinity ? undefined : handshake.address
    if (this.#isCrowded(address)) {
      count("crowded_addresses")
      return { ok: false, status: 429, reason: "too many connections" }
    }
    const admit = (identity: Identity | undefined): Admission =>
      identity === undefined ? CLOSING : { ok: true, open: (outlet) => this.#open(outlet, identity, address) }
    const refuse = (error: unknown): Admission => {
      count("refused_connects")
      logger.warn("a connection was refused", { path: handshake.path, error })
      return { ok: false, status: 403, reason: "refused" }
    }
    try {
      const identity = identify(handlers, handshake, serializers)
      return isPromise(identity) ? this.#unlessShut(identity).then(admit, refuse) : admit(identity)
    } catch (error) {
      return refuse(error)
    }
  }

  /** Lets nobody in any more, those included about whom is still being decided. */
  shut(): void {
    this.#isShut = true
    for (const turnAway of this.#deciding) turnAway()
  }

  #open(outlet: Outlet, identity: Identity, address: string | undefined): Socket {
    const runtime = this.#runtime()
    const socket = new Socket(runtime, outlet, identity, address)
    const late = this.#isCrowded(address) ? LIMIT_EXCEEDED : undefined
    runtime.count("connects")
    this.connections.add(socket)
    // The door may have been shut between the answer and this.
    const code = this.#isShut ? SERVICE_RESTART : late
    if (code !== undefined) socket.close(code)
    return socket
  }

  #isCrowded(address: string | undefined): boolean {
    return address !== undefined && this.connections.from(address) >= this.#runtime().limits.maxConnectionsPerAddress
  }

  /** What is decided about who stands outside; `undefined` when the door is shut first, however long it would have taken. */
  #unlessShut<Value>(decision: PromiseLike<Value>): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      const turnAway = (): void => resolve(undefined)
      const settled = <Outcome>(settle: (outcome: Outcome) => void) => {
        return (outcome: Outcome): void => {
          this.#deciding.delete(turnAway)
          settle(outcome)
        }
      }
      this.#deciding.add(turnAway)
      decision.then(settled(resolve), settled(reject))
    })
  }
}
