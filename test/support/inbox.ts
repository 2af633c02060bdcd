/** How long a test waits for something that should have come at once, before it says what is missing. */
const PATIENCE_MS = 5_000

/** What has arrived, in order, and a way to wait for more of it. */
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

  /** The next item that has not been asked for, now or when it comes. */
  async next(): Promise<Item> {
    const index = this.#read
    this.#read += 1
    await this.count(index + 1)
    return this.items[index] as Item
  }

  /** Everything that has come and has not been asked for. */
  rest(): Item[] {
    const rest = this.items.slice(this.#read)
    this.#read = this.items.length
    return rest
  }

  /** Waits until so many items have come, ever. */
  async count(count: number): Promise<void> {
    const missing = new Error(`${this.#name}: expected ${count} items, got ${this.items.length}`)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        missing.message = `${this.#name}: expected ${count} items, got ${JSON.stringify(this.items)}`
        reject(missing)
      }, PATIENCE_MS)
    })
    try {
      while (this.items.length < count) {
        await Promise.race([new Promise<void>((wake) => this.#waiting.push(wake)), late])
      }
    } finally {
      clearTimeout(timer)
      late.catch(() => undefined)
    }
  }
}
