import { local, LocalBus } from "../../src/pubsub/index.ts"
import type { PubSub } from "../../src/pubsub/index.ts"
import { createServices, type ServicesOptions } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { until } from "../support/until.ts"

/** Nodes on one bus of a process. `close` closes all of them. */
export function nodes() {
  const bus = new LocalBus()
  const closing: (() => Promise<unknown>)[] = []
  /** Starts a node. @param through what its services use instead of the bus itself */
  const start = (name: string, options: Partial<ServicesOptions> = {}, through = (pubsub: PubSub) => pubsub) => {
    const pubsub = local({ bus, node: name })
    const tracker = createTracker({ pubsub })
    const errors: unknown[] = []
    const onError = (error: unknown): void => void errors.push(error)
    const services = createServices({ tracker, pubsub: through(pubsub), onError, ...options })
    closing.push(async () => {
      await services.close({ drainMs: 0 })
      await tracker.close()
      await pubsub.close()
    })
    return { services, errors }
  }
  const close = async (): Promise<void> => {
    for (let next = closing.pop(); next !== undefined; next = closing.pop()) await next()
  }
  return { bus, start, close }
}

/** Two nodes, of which `host` serves a router as "game" and `caller` has called it. The router needs a method `echo`. */
export async function callerAndHost(router: object, options: Partial<ServicesOptions> = {}) {
  const { bus, start, close } = nodes()
  const [caller, host] = [start("caller", options), start("host")]
  const served = host.services.serve("game", router)
  await served.ready
  const echoes = (): Promise<boolean> =>
    caller.services.call("game", "echo").then(
      () => true,
      () => false,
    )
  await until(echoes)
  return { bus, start, caller, host, served, close }
}
