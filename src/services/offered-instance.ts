import { setUnref } from "../timers.ts"
import type { Timers } from "../timers.ts"
import { hasCode } from "./errors.ts"
import type { OwnInstance } from "./registry.ts"
import type { RemoteCalls } from "./remote-calls.ts"

/** How long after a failure an instance is offered to other nodes again, in ms. */
const RETRY_MS = 10_000

/** What is needed to offer an instance. */
export interface OfferOptions {
  readonly remote: RemoteCalls
  readonly timers: Timers
  /** Whether the instance has not ended. */
  readonly isServed: () => boolean
  /** Called with an error after which it is tried again. */
  readonly failed: (error: unknown) => void
}

/** Lets other nodes call an instance, once this node can receive their calls. A call that came earlier would be lost. */
export async function offerToOthers(own: OwnInstance, options: OfferOptions): Promise<void> {
  const { remote, timers, isServed, failed } = options
  try {
    await remote.open()
  } catch (error) {
    if (!isServed()) return
    if (hasCode(error, "config", "closed")) throw error
    failed(error)
    await new Promise<void>((resolve) => setUnref(timers, resolve, RETRY_MS))
    return offerToOthers(own, options)
  }
  const { port } = remote
  if (isServed()) own.change((row) => ({ ...row, port: port! }))
}
