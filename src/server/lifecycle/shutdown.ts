import type { PubSub } from "../../pubsub/pubsub.ts"
import type { Tracker } from "../../tracker/tracker.ts"
import { SERVICE_RESTART } from "../../wire/close-codes.ts"
import type { AdmissionControl } from "../admission/admission-control.ts"
import { drain } from "./drain.ts"
import type { Runtime } from "../channel/runtime.ts"
import { withDeadline } from "../deadline.ts"

/** What `listen` or `attach` has opened: how to let nobody in any more, where that is ours to do, and how to close. */
export interface Opened {
  refuse?(): void
  close(): Promise<void>
}

/** What ends with a server. */
export interface Ending {
  readonly door: AdmissionControl
  readonly opened: readonly Opened[]
  readonly tracker: Tracker
  /** Tells of all changes that are still being gathered. */
  readonly presence: { flush(): void }
  /** What goes on after its connection: channels that end, and what `left` handlers still do. */
  readonly trackedWork: ReadonlySet<Promise<void>>
  readonly pubsub: PubSub | undefined
  readonly runtime: Runtime
}

/** How long a server that closes waits for what is not its own to end, in ms. */
const CLOSE_GRACE_MS = 5_000

/** Waits for all, and for what begins meanwhile: a channel that ends begins to do what its `left` handler does. */
async function allOf(trackedWork: ReadonlySet<Promise<void>>): Promise<void> {
  while (trackedWork.size > 0) await Promise.all(trackedWork)
}

/** Ends a server, so that nobody is lost and nobody is seen twice: each step is for the one after it. */
export async function shutDown({
  door,
  opened,
  tracker,
  presence,
  trackedWork,
  pubsub,
  runtime,
}: Ending): Promise<void> {
  const inTime = async (expected: string, ending: Promise<unknown> | undefined): Promise<void> => {
    const { logger, timers } = runtime
    const limit = { ms: CLOSE_GRACE_MS, timers, code: "close_timeout", expected }
    await withDeadline(Promise.resolve(ending), limit).catch((error: unknown) =>
      logger.warn("closing went on", { error }),
    )
  }
  door.shut()
  for (const { refuse } of opened) refuse?.()
  // Before the clients: who comes back elsewhere at once is not seen twice.
  tracker.goodbye()
  await drain(door.connections.all(), (socket) => socket.close(SERVICE_RESTART), runtime)
  await Promise.all(opened.map(({ close }) => close()))
  await inTime("left handlers to end", allOf(trackedWork))
  presence.flush()
  await tracker.close()
  await inTime("the bus to close", pubsub?.close())
}
