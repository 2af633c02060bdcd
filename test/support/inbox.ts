/**
 * How long a test waits for an item before it fails with a message that names what is missing. It is shorter than the timeout
 * of a test, and long enough for a machine that is busy with other work.
 */
const TIMEOUT_MS = 60_000

/** A list of received items that a test can wait for. */
export class Inbox<Item> {
  readonly items: Item[] = []
  readonly #name: string
  #read = 0
  #waiting: (() => void)[] = []

  constructor(name: string) {
    this.#name = name
  }

  put(item: Item): void {
    this.items.push(item)
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  /** Resolves to the first item that was not returned yet, as soon as it is there. */
  async next(): Promise<Item> {
    const index = this.#read
    this.#read += 1
    await this.count(index + 1)
    return this.items[index] as Item
  }

  /** Returns all received items that were not returned yet. */
  rest(): Item[] {
    const rest = this.items.slice(this.#read)
    this.#read = this.items.length
    return rest
  }

  /** Resolves once `count` items have been received in total. */
  async count(count: number): Promise<void> {
    const missing = new Error(`${this.#name}: expected ${count} items, got ${this.items.length}`)
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        missing.message = `${this.#name}: expected ${count} items, got ${JSON.stringify(this.items)}`
        reject(missing)
      }, TIMEOUT_MS)
    })
    try {
      while (this.items.length < count) {
        await Promise.race([new Promise<void>((wake) => this.#waiting.push(wake)), timeout])
      }
    } finally {
      clearTimeout(timer)
      timeout.catch(() => undefined)
    }
  }
}
