/**
 * What a worse day has beyond a bad one: messages that get lost in one direction only, messages that arrive truncated or
 * altered, and clocks that jump ahead and back.
 */

const MINUTE = 60_000

/** What disturbs one node. */
export class Disturbances {
  /** The names of the nodes whose messages do not reach this one. @type {ReadonlySet<string>} */
  deafTo = new Set()
  /** The share of received messages that arrive truncated or altered. */
  alteration = 0
  #random
  #clockOffset = 0

  /** @param {() => number} random numbers in [0, 1) */
  constructor(random) {
    this.#random = random
  }

  get isNone() {
    return this.deafTo.size === 0 && this.alteration === 0
  }

  /** Ends all disturbances. The clock keeps its offset. */
  end() {
    this.deafTo = new Set()
    this.alteration = 0
  }

  /** Sets the clock ahead or back at random, and returns by how much. */
  jump() {
    const sizes = [1, 50, 150, 400, 2_000, MINUTE, 60 * MINUTE]
    const ms = this.#pick(sizes) * (this.#random() < 0.5 ? 1 : -1)
    this.#clockOffset += ms
    return ms
  }

  /** Returns timers whose clock jumps. */
  timers(timers) {
    return { ...timers, now: () => timers.now() + this.#clockOffset }
  }

  /** Returns what arrives instead of a message; `undefined` if nothing does. */
  arriving(bytes, from) {
    if (this.deafTo.has(from)) return undefined
    if (this.alteration === 0 || this.#random() >= this.alteration) return bytes
    const altered = this.#alter(bytes)
    // A digit may have been replaced by itself, and what is cut off may be white space.
    return textOf(altered) === textOf(bytes) ? bytes : altered
  }

  #alter(bytes) {
    const at = Math.floor(this.#random() * bytes.length)
    const copy = bytes.slice()
    switch (this.#pick(["cut", "bit", "bit", "digit", "digit", "swap", "double"])) {
      case "cut":
        return copy.subarray(0, at)
      case "bit":
        copy[at] ^= 1 << Math.floor(this.#random() * 8)
        return copy
      case "digit": {
        // A number that is still a number is the worst that can happen to a message of counts.
        const digits = [...copy.keys()].filter((place) => copy[place] >= 48 && copy[place] <= 57)
        copy[this.#pick(digits)] = 48 + Math.floor(this.#random() * 10)
        return copy
      }
      case "swap": {
        const other = Math.floor(this.#random() * bytes.length)
        copy[at] = bytes[other]
        copy[other] = bytes[at]
        return copy
      }
      default:
        return new Uint8Array([...bytes.subarray(0, at), ...bytes])
    }
  }

  #pick(items) {
    return items[Math.floor(this.#random() * items.length)]
  }
}

/**
 * Disturbs a node, or ends what disturbs it. Returns what it did.
 *
 * @param {{ name: string, disturbances: Disturbances, contacts: import("./contacts.js").Contacts }} member
 * @param {readonly string[]} names of all nodes
 * @param {() => number} random
 */
export function disturb({ name, disturbances, contacts }, names, random) {
  if (!disturbances.isNone && random() < 0.4) {
    disturbances.end()
    return `${name} is undisturbed`
  }
  const dice = random()
  if (dice < 0.3) {
    disturbances.deafTo = new Set(names.filter((other) => other !== name && random() < 0.5))
    return `${name} receives nothing of ${[...disturbances.deafTo].join(" ")}`
  }
  if (dice < 0.6) {
    const shares = [0.05, 0.3, 1]
    disturbances.alteration = shares[Math.floor(random() * shares.length)]
    return `${name} receives altered messages`
  }
  const ms = disturbances.jump()
  contacts.clockJumped(ms)
  return `the clock of ${name} jumps by ${ms} ms`
}

/** Returns a bus over which a node receives what `receive` returns instead of each message; nothing if `undefined`. */
export function receivingThrough(pubsub, receive) {
  const subscribe = (topic, deliver) =>
    pubsub.subscribe(topic, (bytes, from) => {
      const arriving = receive(bytes, from)
      if (arriving !== undefined) deliver(arriving, from)
    })
  return Object.create(pubsub, { subscribe: { value: subscribe } })
}

const textOf = (bytes) => new TextDecoder().decode(bytes).trimEnd()
