import type { CallOptions } from "./call-options.ts"

/** Why a process is stopped. */
export type StopReason =
  /** `stop(id)` was called. */
  | "stopped"
  /** It moves to another node. What `stop` returns is handed to `start` there. */
  | "moved"
  /** It ran on two nodes after a network split, and the other one stays. What `stop` returns is handed to `merge` there. */
  | "conflict"
  /** The services close, and no other node could take it in time. */
  | "closed"

/** Which processes a node runs, and how. */
export interface PlacedKind<Process = unknown, State = unknown> {
  /**
   * Starts the process of an id on this node, and returns whatever represents it.
   * @param state what `stop` returned on the node that the process comes from; `undefined` for a new one, and for one whose
   * node has died
   */
  start(id: string, state: State | undefined): Process | PromiseLike<Process>
  /** Stops a process. Returns its state: any value that a call can carry, or `undefined`. */
  stop(id: string, reason: StopReason, process: Process): State | undefined | PromiseLike<State | undefined>
  /**
   * Called on the node whose process stays after a conflict, with the state of the one that was stopped. By default that state
   * is dropped.
   */
  merge?(id: string, state: State, process: Process): void | PromiseLike<void>
  /** An oRPC router for `call`. The context of its handlers has `id` and `process`, beside the fields of `CallContext`. */
  readonly router?: object
}

/** The options of `place`. All have defaults. */
export interface PlaceOptions {
  /** The share of processes that this node gets, relative to the others: a number above 0, 1 by default. */
  readonly weight?: number
  /** How many processes this node starts to move, or to start anew, within a second; 500 by default. */
  readonly movesPerSecond?: number
  /** How many calls of this node wait for processes that are moving; 1000 by default. Further ones fail with `moving`. */
  readonly maxHeldCalls?: number
  /** How long a process that is moving waits for its running calls, in ms; 5000 by default. Then they fail with `instance_gone`. */
  readonly handOverMs?: number
  /**
   * How long this node waits for others after its start, in ms, until it starts processes without having heard of a node that
   * has been up for longer; 500 by default. Raise it on a bus that loses messages.
   */
  readonly aloneAfterMs?: number
}

/** The options of the calls of a placement. */
export type PlacedCallOptions = Pick<CallOptions, "timeoutMs" | "signal" | "traceparent">

/** Where a process runs. */
export interface Location {
  readonly id: string
  readonly node: string
  /** The id of the instance that runs it. */
  readonly instance: string
}

/** The processes of one kind, each on one of the nodes that take part. */
export interface Placement {
  /** Resolves once other nodes can reach this one; see `Served.ready`. */
  readonly ready: Promise<void>
  /**
   * Finds the process of an id, or starts it on the node that owns the id. `created` tells whether this call started it.
   *
   * Rejects with `no_instance`, `moving`, `timeout`, `remote_error` if `start` failed, `closed`, `config`, or the reason of the
   * signal.
   */
  ensure(id: string, options?: PlacedCallOptions): Promise<Location & { readonly created: boolean }>
  /** Returns where the process of an id runs, as this node knows it; `undefined` if it runs nowhere. */
  whereis(id: string): Location | undefined
  /**
   * Calls a method of the router at the process of an id, and starts the process before if it runs nowhere. A call during a
   * move waits, for up to `timeoutMs`. It runs at most once.
   *
   * Rejects like `ensure`, and like `services.call`.
   */
  call<Output = unknown>(
    id: string,
    method: string | readonly string[],
    input?: unknown,
    options?: PlacedCallOptions,
  ): Promise<Output>
  /** Stops the process of an id, wherever it runs. Resolves to whether there was one. Rejects like `ensure`. */
  stop(id: string, options?: PlacedCallOptions): Promise<boolean>
  /** Returns the ids whose processes run on this node. */
  local(): readonly string[]
  /**
   * Moves all processes of this node to other nodes, and takes no new ones. Resolves to `true` once none is left, and to
   * `false` if some are after `timeoutMs`, 30 000 by default.
   */
  drain(options?: { readonly timeoutMs?: number }): Promise<boolean>
  /** Stops the processes that are left on this node, and takes no further part. Drain before. A second call does nothing. */
  end(): Promise<void>
}
