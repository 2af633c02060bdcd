/** Where connections come in: open until the server closes. */
export class Door {
  readonly #deciding = new Set<() => void>()
  #isShut = false

  get isShut(): boolean {
    return this.#isShut
  }

  /** What is decided about who stands outside; `undefined` when the door is shut first, however long it would have taken. */
  decide<Value>(decision: Promise<Value>): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      const turnAway = (): void => resolve(undefined)
      this.#deciding.add(turnAway)
      decision.then(resolve, reject).finally(() => this.#deciding.delete(turnAway))
    })
  }

  shut(): void {
    this.#isShut = true
    for (const turnAway of this.#deciding) turnAway()
  }
}
