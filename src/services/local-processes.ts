import type { Tracker } from "../tracker/tracker.ts"
import { quote } from "../quote.ts"
import { setUnref } from "../timers.ts"
import type { Timers } from "../timers.ts"
import { withinTime } from "./cancellation.ts"
import type { Cancellation } from "./cancellation.ts"
import { instanceGone, moving, remoteError, timedOut } from "./errors.ts"
import type { PlacedKind, StopReason } from "./placement.ts"

/** What the processes of a node need. */
export interface LocalProcessesOptions {
  readonly kind: string
  readonly definition: PlacedKind
  readonly tracker: Tracker
  readonly timers: Timers
  readonly topic: string
  /** The id of this node's instance. */
  readonly instance: string
  /** The pid of this node's instance, under which its processes are tracked. */
  readonly pid: string
  /** Identifies this start of the node's part. */
  readonly run: string
  readonly handOverMs: number
  readonly onError: (error: unknown) => void
}

/** One process of this node. */
interface LocalProcess {
  /** A process that has stopped keeps its row until its state is on another node, so that nobody starts it anew. */
  status: "starting" | "running" | "moving"
  value: unknown
  /** Settles once `start` has. */
  started: Promise<void>
  /** What uses the process. */
  readonly calls: Set<Pick<Cancellation, "abort">>
  /** Called when the last call has ended. */
  idle: (() => void) | undefined
  /** The `phx_ref`s of the processes whose state it has. They have stopped, even if their rows do not say so yet. */
  readonly replaced: Set<string>
}

/** How long a node that closes waits for `start` and `stop` of the program, beyond the running calls, in ms. */
const CLOSE_MS = 5_000

/** How a process is started. */
export interface StartOptions {
  /** The `phx_ref`s of the processes that the state is from. */
  readonly replaces?: readonly string[]
}

/** How many former processes a state brings along. An unanswered hand-over is repeated for some seconds, not for more moves. */
export const MAX_REPLACED = 32

/** The processes that this node runs, each tracked as a row while it does. */
export class LocalProcesses {
  readonly #options: LocalProcessesOptions
  readonly #processes = new Map<string, LocalProcess>()
  #isClosed = false

  constructor(options: LocalProcessesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#processes.size
  }

  ids(): string[] {
    return [...this.#processes.keys()]
  }

  status(id: string): LocalProcess["status"] | undefined {
    return this.#processes.get(id)?.status
  }

  /** Returns the `phx_ref` of a process that runs. */
  refOf(id: string): string {
    const { tracker, topic, instance } = this.#options
    return tracker.getByKey(topic, id).find(({ pid }) => pid === instance)?.meta.phx_ref ?? ""
  }

  /** Resolves once a process that is starting runs. Rejects if `start` failed. */
  async started(id: string): Promise<void> {
    await this.#processes.get(id)?.started
  }

  /** Whether the process of an id goes on with the state of another one. */
  hasReplaced(id: string, ref: string): boolean {
    return this.#processes.get(id)?.replaced.has(ref) === true
  }

  /** Returns the `phx_ref`s of the latest processes whose state a process has. */
  replacedBy(id: string): readonly string[] {
    return [...(this.#processes.get(id)?.replaced ?? [])].slice(-MAX_REPLACED)
  }

  /** Starts a process that does not exist, or one whose state could not be handed over. What `start` throws is reported. */
  start(id: string, state: unknown, { replaces }: StartOptions = {}): Promise<void> {
    const former = this.#processes.get(id)
    const local: LocalProcess = {
      status: "starting",
      value: undefined,
      started: Promise.resolve(),
      calls: new Set(),
      idle: undefined,
      replaced: new Set(replaces),
    }
    this.#processes.set(id, local)
    local.started = this.#start(id, state, local, former)
    return local.started
  }

  async #start(id: string, state: unknown, local: LocalProcess, former: LocalProcess | undefined): Promise<void> {
    const undo = (): void => {
      if (former === undefined) this.#processes.delete(id)
      else this.#processes.set(id, former)
    }
    try {
      local.value = await this.#options.definition.start(id, state)
    } catch (error) {
      undo()
      this.#options.onError(error)
      const reason = { code: "INTERNAL_SERVER_ERROR", message: "Internal Server Error" }
      throw remoteError(`${this.#options.kind}.start`, reason)
    }
    const { kind, tracker, pid, topic, run } = this.#options
    if (this.#isClosed) {
      // Its node may have left the list. A row would show a process that nobody can call, or stop.
      undo()
      await this.#stopped(id, "closed", local.value)
      throw moving(kind, id)
    }
    local.status = "running"
    if (former === undefined) tracker.track(pid, topic, id, { run })
    else tracker.update(pid, topic, id, { run })
  }

  /**
   * Stops a process, once its calls have ended or the time for them is over. Returns its state. The row stays, as moving, until
   * `forget` or `start`.
   */
  async stop(id: string, reason: StopReason): Promise<unknown> {
    const { tracker, pid, topic, run, timers, handOverMs } = this.#options
    const local = this.#processes.get(id)!
    local.status = "moving"
    tracker.update(pid, topic, id, { run, moving: true })
    if (local.calls.size > 0) {
      await withinTime(timers, handOverMs, new Promise<void>((resolve) => (local.idle = resolve)))
      for (const call of local.calls) call.abort(instanceGone("its calls", id))
    }
    return this.#stopped(id, reason, local.value)
  }

  /** Runs `stop` of the program. What it throws is reported, and one that takes long, as the calls to its process wait. */
  async #stopped(id: string, reason: StopReason, process: unknown): Promise<unknown> {
    const { definition, kind, timers, onError } = this.#options
    const report = (): void => onError(timedOut(`stop of the process ${quote(id)} of ${quote(kind)}`, CLOSE_MS))
    // A close has a limit of its own, and reports what exceeds it.
    const timer = this.#isClosed ? undefined : setUnref(timers, report, CLOSE_MS)
    try {
      return await definition.stop(id, reason, process)
    } catch (error) {
      onError(error)
      return undefined
    } finally {
      timers.clear(timer)
    }
  }

  /** Stops all processes for good, also those that are starting. One whose `start` or `stop` does not end is reported. */
  async close(): Promise<void> {
    const { kind, timers, handOverMs, onError } = this.#options
    this.#isClosed = true
    const closed = async (id: string): Promise<void> => {
      await this.started(id).catch(() => undefined)
      if (this.status(id) === "running") await this.stop(id, "closed")
    }
    const limitMs = handOverMs + CLOSE_MS
    await Promise.all(
      this.ids().map(async (id) => {
        const isClosed = await withinTime(timers, limitMs, closed(id))
        if (!isClosed) onError(timedOut(`start and stop of the process ${quote(id)} of ${quote(kind)}`, limitMs))
      }),
    )
  }

  /** Removes a process that has stopped. */
  forget(id: string): void {
    const { tracker, pid, topic } = this.#options
    if (this.#processes.delete(id)) tracker.untrack(pid, topic, id)
  }

  /**
   * Gives the state of another process of this id to the one that runs here.
   * @throws RollcallError `moving` if none does
   */
  async merge(id: string, state: unknown, replaces: readonly string[]): Promise<void> {
    // A process that is stopped meanwhile waits for it, as for a call. Otherwise its state would not have the other one.
    const { process, ended } = this.called(id, { abort() {} })
    const { replaced } = this.#processes.get(id)!
    for (const ref of replaces) replaced.add(ref)
    try {
      if (state !== undefined) await this.#options.definition.merge?.(id, state, process)
    } catch (error) {
      this.#options.onError(error)
    } finally {
      ended()
    }
  }

  /**
   * Counts a call to a process. Returns the process, and a function that ends the call.
   * @throws RollcallError `moving` if it does not run here
   */
  called(id: string, call: Pick<Cancellation, "abort">): { readonly process: unknown; ended(): void } {
    const local = this.#processes.get(id)
    if (local?.status !== "running") throw moving(this.#options.kind, id)
    local.calls.add(call)
    return {
      process: local.value,
      ended: () => {
        if (local.calls.delete(call) && local.calls.size === 0) local.idle?.()
      },
    }
  }
}
