import { ConfigError } from "../../error.ts"
import { DISCONNECTED, LIMIT_EXCEEDED, SERVICE_RESTART } from "../../wire/close-codes.ts"
import { isIntroduced } from "../../wire/introduction.ts"
import type { Serializer } from "../../wire/message.ts"
import { isPromise } from "../awaitable.ts"
import { subscriberOf } from "../ip-address.ts"
import type { Awaitable } from "../awaitable.ts"
import type { Identity } from "../connection/identity.ts"
import { Socket } from "../connection/socket.ts"
import type { ConnectionContext } from "../connection/connection-context.ts"
import { infoFrame, limitsInfo, refuseOver } from "../connection/introduction.ts"
import type { Admission, Frame, Handshake, Outlet } from "../transport.ts"
import { Connections } from "./connections.ts"
import { Expiries } from "./expiry.ts"
import { checkHandlers } from "./handlers-check.ts"
import { CLOSING, NOT_FOUND, REFUSED, TOO_MANY_CONNECTIONS } from "./handshake-refusals.ts"
import { identify, negotiate, sourceProblem } from "./mount.ts"
import type { RequestSource, SocketHandlers } from "./mount.ts"
import { reasonOf } from "./refusal-reason.ts"
import { logUnknown } from "../unknown-names.ts"

/** Decides which clients may connect at the mounted paths, and holds the connections that were accepted. */
export class AdmissionControl {
  readonly connections: Connections = new Connections()
  readonly #context: () => ConnectionContext
  readonly #mounts = new Map<string, SocketHandlers<object>>()
  /** A cache: transport → the paths that it serves. */
  readonly #paths = new Map<string, readonly string[]>()
  /** One function for each handshake whose `connect` is pending. It refuses the handshake. */
  readonly #pending = new Set<() => void>()
  readonly #expiries = new Expiries<Socket>(
    () => this.#context().timers,
    (socket) => {
      this.#context().count("expired_connections")
      socket.closeInTurn(DISCONNECTED)
    },
  )
  /** A cache: serializer → the first message to clients that introduced themselves. */
  readonly #limits = new Map<Serializer, Frame>()
  #logUnknown: ((path: string) => void) | undefined
  #isStopped = false

  /**
   * @param context returns what all sockets share. It must not be called before the server is constructed, because that
   * context is created after this object.
   */
  constructor(context: () => ConnectionContext) {
    this.#context = context
  }

  /** Serves a path. @throws ConfigError for a path that does not begin with a slash or has nothing after it, and for invalid handlers */
  mount(path: string, handlers: SocketHandlers<object>): void {
    if (!path.startsWith("/") || path.length < 2) throw new ConfigError(`expected a path like "/socket", got "${path}"`)
    checkHandlers(handlers)
    this.#mounts.set(path.replace(/\/+$/, ""), handlers)
    this.#paths.clear()
  }

  /** Returns the paths that a transport serves. */
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

  /**
   * Decides whether to accept a client: synchronously, unless `connect` is asynchronous. Never throws, never rejects.
   */
  admit(handshake: Handshake): Awaitable<Admission> {
    const handlers = this.#mounts.get(handshake.path)
    if (handlers === undefined) return NOT_FOUND
    if (this.#isStopped) return CLOSING
    const { count, countRefusal, dialects, logger, limits, serializers } = this.#context()
    // Reading an address costs a system call, so it is read only when there is a limit for it.
    const address = limits.maxConnectionsPerAddress === Infinity ? undefined : subscriberOf(handshake.address)
    if (this.#isAddressFull(address)) {
      count("crowded_addresses")
      return TOO_MANY_CONNECTIONS
    }
    const accept = (identity: Identity | undefined): Admission =>
      identity === undefined ? CLOSING : { ok: true, open: (outlet) => this.#open(outlet, identity, address) }
    const refuse = (error: unknown, serializer?: Serializer): Admission => {
      const reason = reasonOf(error)
      countRefusal(reason)
      logger.warn("a connection was refused", { path: handshake.path, error })
      // Only refusals by `connect` are explained. A page of a foreign origin must not get a connection, not even to receive the reason.
      if (serializer === undefined || !isIntroduced(handshake.params)) return REFUSED
      return { ...REFUSED, reason, sendReason: (outlet) => refuseOver(outlet, serializer, reason) }
    }
    const dialect = handlers.dialect && dialects[handlers.dialect]
    let serializer: Serializer | undefined
    try {
      serializer = negotiate(handlers, handshake, dialect?.serializers(serializers) ?? serializers)
      const identity = identify(handlers, handshake, serializer, dialect)
      if (!isPromise(identity)) return accept(identity)
      return this.#unlessStopped(identity).then(accept, (error: unknown) => refuse(error, serializer))
    } catch (error) {
      return refuse(error, serializer)
    }
  }

  /** Counts and logs a client that asked for a path that no socket serves. */
  unknownPath(path: string): void {
    const context = this.#context()
    context.count("unknown_paths")
    const served = (): object => ({ served: [...this.#mounts.keys()] })
    this.#logUnknown ??= logUnknown("path", "a client asked for a path that no socket serves", context, served)
    this.#logUnknown(path)
  }

  /** Returns whether a mounted path allows a request's host and origin. Never throws: an `origins` that throws refuses. */
  permits(path: string, source: RequestSource): boolean {
    const handlers = this.#mounts.get(path)
    try {
      return handlers !== undefined && sourceProblem(handlers, source) === undefined
    } catch (error) {
      this.#context().logger.warn("a request was refused", { path, error })
      return false
    }
  }

  /** Refuses all clients from now on, including those whose `connect` is pending. */
  stop(): void {
    this.#isStopped = true
    for (const refuse of this.#pending) refuse()
  }

  #open(outlet: Outlet, identity: Identity, address: string | undefined): Socket {
    const context = this.#context()
    const socket = new Socket(context, outlet, identity, address)
    // Since `admit` returned, other connections of the address may have opened, or the server may have stopped.
    const overLimit = this.#isAddressFull(address) ? LIMIT_EXCEEDED : undefined
    context.count("connects")
    this.connections.add(socket)
    const code = this.#isStopped ? SERVICE_RESTART : overLimit
    if (code !== undefined) socket.close(code)
    else if (identity.isIntroduced) this.#sendLimits(outlet, identity.serializer)
    if (code === undefined && identity.expiresAt !== undefined) {
      this.#expiries.add(socket, identity.expiresAt)
    }
    return socket
  }

  /**
   * Forgets a connection that has ended.
   * @param ending resolves when its channels, and its join in progress, have ended, too; `undefined` if they have
   */
  forget(socket: Socket, ending?: Promise<void>): void {
    this.connections.delete(socket)
    this.#expiries.delete(socket)
    // Until then, `disconnect` must find it: its channels would keep the presences of a banned user.
    if (ending === undefined) this.connections.deleteId(socket)
    else void ending.then(() => this.connections.deleteId(socket))
  }

  /** Sends the server's limits, encoded once for all clients of a serializer. */
  #sendLimits(outlet: Outlet, serializer: Serializer): void {
    const frame = this.#limits.get(serializer) ?? infoFrame(serializer, limitsInfo(this.#context().limits))
    if (frame === undefined) return
    this.#limits.set(serializer, frame)
    outlet.send(frame)
  }

  #isAddressFull(address: string | undefined): boolean {
    return (
      address !== undefined && this.connections.countFrom(address) >= this.#context().limits.maxConnectionsPerAddress
    )
  }

  /** Waits for `connect`. Resolves to `undefined` as soon as the server stops, even if `connect` never answers. */
  #unlessStopped<Value>(decision: PromiseLike<Value>): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      const refuse = (): void => resolve(undefined)
      const settled = <Outcome>(settle: (outcome: Outcome) => void) => {
        return (outcome: Outcome): void => {
          this.#pending.delete(refuse)
          settle(outcome)
        }
      }
      this.#pending.add(refuse)
      decision.then(settled(resolve), settled(reject))
    })
  }
}
