import type { PubSub } from "../../pubsub/pubsub.ts"
import type { Tracker } from "../../tracker/tracker.ts"
import { SERVICE_RESTART } from "../../wire/close-codes.ts"
import type { AdmissionControl } from "../admission/admission-control.ts"
import type { ServerContext } from "../channel/server-context.ts"
import { withDeadline } from "../deadline.ts"
import { drain } from "./drain.ts"

/** An entrance for clients: an open port, or an HTTP server to which the server is attached. */
export interface Entrance {
  /** Refuses new connections, and keeps the existing ones. Missing for an HTTP server that belongs to the program. */
  stopAccepting?(): void
  /** Closes the entrance and its connections. May be called more than once. */
  close(): Promise<void>
}

/** The parts of a server that a shutdown closes. */
export interface ShutdownOptions {
  readonly admission: AdmissionControl
  readonly opened: Iterable<Entrance>
  readonly services: { close(): Promise<void> }
  readonly tracker: Tracker
  /** `close` sends the presence changes that are still being collected. */
  readonly presence: { close(): void; readonly kept: { close(): void } }
  /** Work that outlives its connection: channels that are ending, and their `left` handlers. */
  readonly trackedWork: ReadonlySet<Promise<void>>
  readonly pubsub: PubSub | undefined
  readonly context: ServerContext
}

/** How long a shutdown waits for the program's `left` handlers, and for the engine, in ms. */
const CLOSE_GRACE_MS = 5_000

/** Shuts a server down. Each step relies on the steps before it. */
export async function shutDown(options: ShutdownOptions): Promise<void> {
  const { admission, opened, services, tracker, presence, trackedWork, pubsub, context } = options
  const { logger, timers } = context
  const waitFor = async (expected: string, work: Promise<unknown> | undefined): Promise<void> => {
    const limit = { ms: CLOSE_GRACE_MS, timers, code: "close_timeout", expected }
    await withDeadline(Promise.resolve(work), limit).catch((error: unknown) => {
      logger.warn("the server closes without waiting any longer", { error })
    })
  }
  admission.stop()
  const ports = [...opened]
  for (const { stopAccepting } of ports) stopAccepting?.()
  // Before the goodbye: after it, this node cannot announce the end of its services.
  await services.close()
  // Before the clients are disconnected: otherwise a client that connects to another node at once would appear there twice.
  presence.kept.close()
  tracker.goodbye()
  await drain(admission.connections.all(), (socket) => socket.close(SERVICE_RESTART), context)
  await Promise.all(ports.map(({ close }) => close()))
  await waitFor("left handlers to finish", settled(trackedWork))
  presence.close()
  await tracker.close()
  await waitFor("the bus to close", pubsub?.close())
}

/** Resolves when no work is left. Work may add more work: a channel that ends adds the promise of its `left` handler. */
async function settled(work: ReadonlySet<Promise<void>>): Promise<void> {
  while (work.size > 0) await Promise.all(work)
}
