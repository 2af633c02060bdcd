/**
 * Services that are found, called and placed by presence: no registry server, no leader, no configuration.
 *
 * ```ts
 * const services = createServices({ tracker, pubsub })
 * services.announce("crawler", { meta: { jobs: 99 } })
 * services.list("crawler")
 * ```
 *
 * @packageDocumentation
 */

// services
export { createServices } from "./services.ts"
export type { Announcement, Services, ServicesOptions } from "./services.ts"
export type { AnnounceOptions, InstanceChange } from "./registry.ts"
export type { Instance } from "./instance-row.ts"

// routes
export { byKey, compare, leastBy, node, powerOfTwo, preferLocal, random, roundRobin, where, zone } from "./routes.ts"
export type { Route, RouteContext } from "./routes.ts"

// errors
export { ConfigError, RollcallError } from "../error.ts"
