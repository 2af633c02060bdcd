/** A call that has ended: the message of the channels `rollcall:services:call` and `rollcall:services:handled`. */
export interface CallEvent {
  /** This node. */
  readonly node: string
  readonly service: string
  /** The path of the method, joined by dots. */
  readonly method: string
  /** The instance that was called last; `undefined` if there was none. */
  readonly instance: string | undefined
  /** As in `CallDurations`. */
  readonly outcome: string
  readonly ms: number
}

/** Publishes calls over `node:diagnostics_channel`. */
export interface CallEvents {
  /** Publishes a call that this node made. Without a subscriber, no event is built. */
  made(event: () => CallEvent): void
  /** Publishes a call that this node handled. */
  handled(event: () => CallEvent): void
}

/** Loads `node:diagnostics_channel`, where there is one. */
export async function loadCallEvents(): Promise<CallEvents | undefined> {
  const diagnostics = await import("node:diagnostics_channel").catch(() => undefined)
  if (diagnostics === undefined) return undefined
  const publisher = (name: string): ((event: () => CallEvent) => void) => {
    const channel = diagnostics.channel(name)
    return (event) => {
      if (channel.hasSubscribers) channel.publish(event())
    }
  }
  return { made: publisher("rollcall:services:call"), handled: publisher("rollcall:services:handled") }
}
