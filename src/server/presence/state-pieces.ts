import { jsonOf } from "./user.ts"
import type { User } from "./user.ts"

/** How many users arrive until the next piece begins. To compress one takes about 0.1 ms. */
const ARRIVALS = 256

type Piece = { readonly text: string }

/**
 * The JSON of a topic's states in pieces of some 256 users. A piece whose users did not change is the same object in the next state,
 * so that a transport need not compress it again.
 *
 * Users are grouped by the order of their arrival, since a place in the list would move with each leave before it.
 */
export class StatePieces {
  #pieces = new Map<number, Piece>()

  /** Returns the pieces of the state with these users, which must be in the order of their arrival. */
  of(users: readonly User[]): readonly Piece[] {
    const groups = new Map<number, string[]>()
    for (const user of users) {
      const group = Math.floor(user.arrived / ARRIVALS)
      const known = groups.get(group)
      if (known === undefined) groups.set(group, [jsonOf(user)])
      else known.push(jsonOf(user))
    }
    const former = this.#pieces
    this.#pieces = new Map()
    for (const [group, texts] of groups) {
      const text = (this.#pieces.size === 0 ? "{" : ",") + texts.join(",")
      const same = former.get(group)
      this.#pieces.set(group, same?.text === text ? same : { text })
    }
    return [...this.#pieces.values(), { text: groups.size === 0 ? "{}" : "}" }]
  }
}
