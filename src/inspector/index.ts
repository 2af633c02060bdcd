/**
 * An inspector for the page: the rooms, users and messages of a connection, time travel over them, and faults of the network on purpose.
 *
 * ```ts
 * const { inspect } = await import("rollcall/inspector")
 * inspect(connection)
 * ```
 *
 * @packageDocumentation
 */
import { defineInspector } from "./inspector-element.ts"

export { defineInspector, inspect, RollcallInspector } from "./inspector-element.ts"
export type { InspectOptions } from "./inspector-element.ts"
export { rollcallDevtools, type DevtoolsPlugin } from "./devtools-plugin.ts"
export type { ObservationOptions } from "./observation.ts"
export type { Place, Redact } from "../testing/redaction.ts"

defineInspector()
