import { byteLength } from "../../wire/byte-length.ts"
import type { Message } from "../../wire/message.ts"
import type { Frame } from "../transport.ts"

/** A message from the client, a frame to it, or the code with which its connection is to be closed. */
export type Mail =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "frame"; readonly frame: Frame; readonly bytes: number }
  | { readonly kind: "close"; readonly code: number }

/**
 * Holds the mail of a connection, in order, while a join is in progress.
 *
 * It stays open for mail until the last is taken out. Otherwise what a message causes while the mail is worked off would
 * overtake the mail behind it: a join among it may broadcast to its own connection.
 */
export class Mailbox {
  #mail: Mail[] | undefined
  /** How much of `#mail` has been taken out. */
  #taken = 0
  #frameBytes = 0

  /** Whether new mail must be added here, because a join is in progress or older mail is left. */
  get isHolding(): boolean {
    return this.#mail !== undefined
  }

  /** The bytes of the frames to the client that are held. */
  get frameBytes(): number {
    return this.#frameBytes
  }

  /** Begins to hold mail. */
  open(): void {
    this.#mail ??= []
  }

  /** Adds mail behind all other. */
  add(mail: Exclude<Mail, { readonly kind: "frame" }>): void {
    this.#append(mail)
  }

  /** Adds a frame to the client behind all other mail. */
  addFrame(frame: Frame): void {
    const bytes = bytesOf(frame)
    this.#frameBytes += bytes
    this.#append({ kind: "frame", frame, bytes })
  }

  /** Takes out the oldest mail. Without any left, it returns `undefined` and holds no more mail. */
  take(): Mail | undefined {
    const mail = this.#mail?.[this.#taken]
    if (mail === undefined) {
      this.clear()
      return undefined
    }
    this.#taken += 1
    if (mail.kind === "frame") this.#frameBytes -= mail.bytes
    return mail
  }

  /** Drops all mail, and holds no more. */
  clear(): void {
    this.#mail = undefined
    this.#taken = 0
    this.#frameBytes = 0
  }

  #append(mail: Mail): void {
    const all = (this.#mail ??= [])
    // A client that always has a join in progress never lets the mailbox become empty.
    if (this.#taken > MOST_TAKEN && this.#taken > all.length / 2) {
      all.splice(0, this.#taken)
      this.#taken = 0
    }
    all.push(mail)
  }
}

/** How much mail that was taken out may be kept: removing it one by one would move all that is behind it each time. */
const MOST_TAKEN = 100

/** A state that is shared by many frames is measured by its parts: joining them to one text would copy it. */
function bytesOf({ data, parts }: Frame): number {
  if (parts === undefined) return byteLength(data)
  const [before, shared, after] = parts
  return byteLength(before) + (shared.bytes?.length ?? byteLength(shared.text)) + byteLength(after)
}
