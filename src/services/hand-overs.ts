import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import { setUnref } from "../timers.ts"
import type { Timers } from "../timers.ts"
import type { ServicesCounter } from "./counter-names.ts"
import { hasCode, hasNotRun, moving } from "./errors.ts"
import type { Instance } from "./instance-row.ts"
import type { LocalProcesses } from "./local-processes.ts"
import type { StopReason } from "./placement.ts"
import { backoffMs } from "./retry.ts"

/** A state that is handed over. */
export interface MoveRequest {
  readonly id: string
  readonly state: unknown
  /** Names the move, so that one that comes twice is taken once. */
  readonly move: string
  /** The `phx_ref` of the process that has stopped. The receiver may still see it as one that runs. */
  readonly ended: string
  /** The other `phx_ref`s that it has had, and those of former processes whose state is in this one. */
  readonly replaced: readonly string[]
}

/** What hand-overs need. */
export interface HandOversOptions {
  readonly kind: string
  /** The id of this node's instance. */
  readonly self: string
  readonly locals: LocalProcesses
  readonly timers: Timers
  readonly random: () => number
  /** Returns why a process of this node has to leave it; `undefined` if it may stay. */
  reason(id: string): Extract<StopReason, "moved" | "conflict"> | undefined
  /** Returns the instance that takes a process; `undefined` if there is none. */
  target(id: string): Instance | undefined
  /** Whether an instance has not ended since. */
  isThere(instance: Instance): boolean
  /** Hands a state to another instance. */
  give(instance: string, request: MoveRequest): Promise<unknown>
  /** Called when another instance has confirmed that it has a process. */
  given(id: string, instance: string): void
  newMove(): string
  readonly count: (name: ServicesCounter) => void
  readonly onError: (error: unknown) => void
}

/** A state that is in no process, as far as this node knows. */
interface HomelessState {
  /** The `phx_ref` of the process that has stopped. */
  readonly ended: string
  /** The instance that may have taken it. */
  asked: Instance | undefined
}

/** How many moves are remembered, so that one that comes twice is taken once. */
const MAX_MOVES = 10_000

/** Moves processes between nodes. A state is kept until the other node has confirmed it, or the process runs here again. */
export class HandOvers {
  readonly #options: HandOversOptions
  /** Move → what became of it here. */
  readonly #taken = new Map<string, Promise<void>>()
  /**
   * Id → the `phx_ref` of a process whose state cannot be sent, since it is too large, or nothing that JSON can write. It
   * stays. A later process of the same id has another one, and may move.
   */
  readonly #unsendable = new Map<string, string>()
  /** Id → its state that is in no process. */
  readonly #homeless = new Map<string, HomelessState>()
  #isClosed = false

  constructor(options: HandOversOptions) {
    this.#options = options
  }

  /** Hands a process over if it has to leave. It must be awaited before another one of the same id is begun. */
  async handOver(id: string): Promise<void> {
    const { locals, reason, count } = this.#options
    const why = reason(id)
    if (why === undefined || locals.status(id) !== "running" || this.isStuck(id)) return
    this.#unsendable.delete(id)
    const ended = locals.refOf(id)
    const homeless: HomelessState = { ended, asked: undefined }
    this.#homeless.set(id, homeless)
    const state = await locals.stop(id, why)
    count(why === "conflict" ? "services_conflicts" : "services_moves")
    // The row has another `phx_ref` since. A node that sees it must not take it for another process.
    const replaced = [...locals.replacedBy(id), locals.refOf(id)]
    await this.#settle({ id, state, ended, replaced, move: this.#options.newMove() }, homeless)
    if (this.#homeless.get(id) === homeless) this.#homeless.delete(id)
  }

  /** Whether a process stays, since its state could not be sent. */
  isStuck(id: string): boolean {
    const ref = this.#unsendable.get(id)
    return ref !== undefined && ref === this.#options.locals.refOf(id)
  }

  /** Whether a state is on its way to an instance. */
  isGivingTo(instance: string): boolean {
    return [...this.#homeless.values()].some(({ asked }) => asked?.id === instance)
  }

  /**
   * Takes a state from another node, once, however often it comes.
   * @throws RollcallError `moving` if this node cannot take it now, `remote_error` if `start` failed
   */
  take(request: MoveRequest, mayTake: boolean): Promise<void> {
    const { kind, locals } = this.#options
    const { id, move } = request
    const known = this.#taken.get(move)
    if (known !== undefined) return known
    if (!mayTake || (locals.status(id) === "moving" && !this.#isReturn(request)))
      return Promise.reject(moving(kind, id))
    const taking = this.#take(request)
    this.#taken.set(move, taking)
    // What failed may be tried again.
    taking.catch(() => this.#taken.delete(move))
    if (this.#taken.size > MAX_MOVES) this.#taken.delete(this.#taken.keys().next().value!)
    return taking
  }

  /** Gives up all hand-overs that have not ended. */
  close(): void {
    const { kind, onError } = this.#options
    this.#isClosed = true
    for (const id of this.#homeless.keys()) {
      const expected = `a node that takes the process ${quote(id)} of ${quote(kind)}`
      onError(
        new RollcallError("moving", `expected ${expected}, got none before the services closed; its state is lost`),
      )
    }
  }

  async #take(request: MoveRequest): Promise<void> {
    const { locals } = this.#options
    const { id, state, ended, replaced } = request
    const replaces = [...replaced, ended]
    if (this.#isReturn(request)) {
      this.#homeless.delete(id)
      locals.forget(id)
    }
    if (locals.status(id) === undefined) {
      this.#unsendable.delete(id)
      return locals.start(id, state, { replaces })
    }
    await locals.started(id)
    // The state has come already, by way of a node whose answer was lost and that has gone. Merged, it would count twice.
    if (!locals.hasReplaced(id, ended)) await locals.merge(id, state, replaces)
  }

  /**
   * Whether a state goes on from one that this node still holds: another node took that one, and its answer was lost. If it were
   * refused, a former state would be started here once that node has gone.
   */
  #isReturn({ id, replaced }: MoveRequest): boolean {
    const homeless = this.#homeless.get(id)
    return homeless !== undefined && this.#options.locals.status(id) === "moving" && replaced.includes(homeless.ended)
  }

  /** Finds a home for the state of a process that has stopped, unless it comes back from one. */
  async #settle(request: MoveRequest, homeless: HomelessState): Promise<void> {
    const { id, state, ended } = request
    const replaces = [...request.replaced, ended]
    const { self, locals, timers, random, target, isThere, give, given, onError } = this.#options
    const isBack = (): boolean => this.#homeless.get(id) !== homeless
    for (let tries = 1; !this.#isClosed && !isBack(); tries += 1) {
      // An instance that did not answer may have taken it. If another one got it as well, both would go on with the state.
      const { asked } = homeless
      const instance = asked !== undefined && isThere(asked) ? asked : target(id)
      try {
        if (instance?.id === self) return await locals.start(id, state, { replaces })
        if (instance !== undefined) {
          homeless.asked = instance
          await give(instance.id, request)
          if (isBack()) return
          given(id, instance.id)
          return locals.forget(id)
        }
      } catch (error) {
        if (hasCode(error, "timeout", "instance_gone") && !hasNotRun(error)) {
          // It is asked again.
        } else {
          homeless.asked = undefined
          if (isBack()) return
          if (hasCode(error, "payload_too_large", "config")) {
            onError(error)
            await locals.start(id, state, { replaces }).catch(() => undefined)
            if (locals.status(id) === "running") {
              this.#unsendable.set(id, locals.refOf(id))
              return
            }
          } else if (!hasNotRun(error) && !hasCode(error, "moving", "overloaded", "no_instance", "remote_error")) {
            onError(error)
          }
        }
      }
      await new Promise<void>((resolve) => setUnref(timers, resolve, 5 + backoffMs(tries, random)))
    }
  }
}
