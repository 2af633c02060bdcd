/** A minimal channel for `Presence`, driven by the test. */
import type { ChannelLike } from "../../src/client/index.ts"

export class FakeChannel implements ChannelLike {
  join: string | null
  readonly #bindings = new Map<number, { event: string; callback: (...args: unknown[]) => void }>()
  #next = 0

  constructor(join: string | null = "1") {
    this.join = join
  }

  on(event: string, callback: (payload: unknown, ref?: unknown, joinRef?: unknown) => void): number {
    this.#bindings.set(this.#next, { event, callback })
    return this.#next++
  }

  off(_event: string, ref?: number): void {
    if (ref !== undefined) this.#bindings.delete(ref)
  }

  joinRef(): string | null {
    return this.join
  }

  get bound(): number {
    return this.#bindings.size
  }

  /** Calls the callbacks as phoenix.js does: their third argument is the join of the message, or the current one. */
  receive(event: string, payload: unknown, joinRef: string | null = this.join): void {
    for (const binding of Array.from(this.#bindings.values())) {
      if (binding.event === event) binding.callback(payload, null, joinRef)
    }
  }

  state(payload: unknown, joinRef?: string): void {
    this.receive("presence_state", payload, joinRef ?? this.join)
  }

  diff(joins: object, leaves: object = {}, joinRef?: string): void {
    this.receive("presence_diff", { joins, leaves }, joinRef ?? this.join)
  }
}
