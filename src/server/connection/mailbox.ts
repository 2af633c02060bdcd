import { byteLength } from "../../wire/byte-length.ts"
import type { Message } from "../../wire/message.ts"
import type { Frame } from "../transport.ts"

/** A message from the client, a frame to the client, or the code for closing the connection. */
export type Mail =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "frame"; readonly frame: Frame; readonly bytes: number }
  | { readonly kind: "close"; readonly code: number }

/**
 * A queue for the mail of a connection, in order, while a join is in progress.
 *
 * It accepts new mail until it is empty. Otherwise new mail would overtake queued mail. Example: a queued join is handled and
 * broadcasts to its own connection; that frame must not be sent before the frames that are still queued.
 */
export class Mailbox {
  #mail: Mail[] | undefined
  /** How many entries of `#mail` have been taken out. */
  #taken = 0
  #frameBytes = 0

  /** Whether new mail must be added here, because a join is in progress or older mail is left. */
  get isHolding(): boolean {
    return this.#mail !== undefined
  }

  /** The bytes of the held frames to the client. */
  get frameBytes(): number {
    return this.#frameBytes
  }

  /** Begins to hold mail. */
  open(): void {
    this.#mail ??= []
  }

  /** Adds mail at the end. */
  add(mail: Exclude<Mail, { readonly kind: "frame" }>): void {
    this.#append(mail)
  }

  /** Adds a frame to the client at the end. */
  addFrame(frame: Frame): void {
    const bytes = bytesOf(frame)
    this.#frameBytes += bytes
    this.#append({ kind: "frame", frame, bytes })
  }

  /** Takes out the oldest mail. If there is none, returns `undefined` and stops holding mail. */
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

  /** Drops all mail, and stops holding mail. */
  clear(): void {
    this.#mail = undefined
    this.#taken = 0
    this.#frameBytes = 0
  }

  #append(mail: Mail): void {
    const all = (this.#mail ??= [])
    // The mailbox of a client that always has a join in progress never becomes empty. So old entries are removed here, too.
    if (this.#taken > MOST_TAKEN && this.#taken > all.length / 2) {
      all.splice(0, this.#taken)
      this.#taken = 0
    }
    all.push(mail)
  }
}

/** How many entries that were taken out may stay in the array. To remove them one by one would move all later entries each time. */
const MOST_TAKEN = 100

/** A frame around a text that many frames share is measured by its parts: joining the parts would copy the text. */
function bytesOf({ data, parts }: Frame): number {
  if (parts === undefined) return byteLength(data)
  const [before, shared, after] = parts
  return byteLength(before) + (shared.bytes?.length ?? byteLength(shared.text)) + byteLength(after)
}
