/** How many posts of one session may wait while another one is read. A browser has at most 100 requests under way. */
const MAX_WAITING = 100

/**
 * Lets one post of a session be read at a time; the others wait, unread, in order. Without this, each of hundreds of posts that
 * a client begins and never ends would hold its part of the body in memory.
 */
export class PostQueue {
  /** Session id → the functions that start its waiting posts. A session is in the map while one of its posts is read. */
  readonly #waiting = new Map<string, (() => void)[]>()

  /**
   * Waits until a session's earlier posts have ended. Resolves to a function that ends this turn, which must be called.
   * Returns `undefined` when too many posts of the session wait.
   */
  turn(session: string): Promise<() => void> | undefined {
    const waiting = this.#waiting.get(session)
    if (waiting !== undefined && waiting.length >= MAX_WAITING) return undefined
    return new Promise((resolve) => {
      const start = (): void => resolve(() => this.#next(session))
      if (waiting !== undefined) waiting.push(start)
      else {
        this.#waiting.set(session, [])
        start()
      }
    })
  }

  #next(session: string): void {
    const start = this.#waiting.get(session)?.shift()
    if (start === undefined) this.#waiting.delete(session)
    else start()
  }
}
