import { RollcallError } from "../error.ts"

/**
 * A node regularly sends a probe to its own name: `'Q'`, the version, and 16 bytes that identify this instance.
 *
 * Two nodes with one name drop each other's messages as their own. A probe from another instance shows this. And a node
 * that may not send even to itself cannot be received by the others, although it receives them.
 */
const MAGIC = 0x51
const VERSION = 1
const ID_SIZE = 16
/** The maximum number of other instances that are remembered, so that a name that many nodes share fills no memory. */
const MAX_OTHERS = 16

/** Returns whether a message is a probe, as opposed to an envelope or a chunk. */
export function isProbe(message: Buffer): boolean {
  return message[0] === MAGIC && message[1] === VERSION && message.length === 2 + ID_SIZE
}

/** The probes of one instance of a node, and the other instances that its own name brings in. */
export class NodeProbe {
  readonly message: Buffer
  readonly #node: string
  readonly #report: (error: RollcallError) => void
  /** The number of probes received of each other instance. */
  readonly #others = new Map<string, number>()

  constructor(node: string, report: (error: RollcallError) => void) {
    this.#node = node
    this.#report = report
    this.message = Buffer.from([MAGIC, VERSION, ...crypto.getRandomValues(new Uint8Array(ID_SIZE))])
  }

  /** Handles a probe that arrived under this node's name. Reports each other instance once. */
  receive(message: Buffer): void {
    if (message.equals(this.message)) return
    const id = message.toString("hex")
    const count = (this.#others.get(id) ?? 0) + 1
    if (count === 1 && this.#others.size >= MAX_OTHERS) return
    this.#others.set(id, count)
    // The first probe may be the last one of an instance that has ended. It lives only if it sends a second one.
    if (count !== 2) return
    const expected = "expected each living node to have a name of its own"
    const text = `${expected}, got two named ${JSON.stringify(this.#node)}; give one of them another name`
    this.#report(new RollcallError("name_conflict", text))
  }
}
