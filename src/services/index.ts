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
export { createServices } from "./node-services.ts"
export type { Announcement, Served, ServeOptions, Services, ServicesOptions, ServicesStats } from "./services.ts"
export type { AnnounceOptions, InstanceChange } from "./registry.ts"
export type { Instance } from "./instance-row.ts"

// routes
export { byKey, compare, leastBy, node, powerOfTwo, preferLocal, random, roundRobin, where, zone } from "./routes.ts"
export type { Route, RouteContext } from "./routes.ts"

// calls
export type { CallOptions } from "./call-options.ts"
export type { Answer } from "./answer.ts"
export type { CallContext } from "./call-context.ts"
export type { RemoteReason } from "./errors.ts"
export type { ServiceClient, ServiceMethod } from "./service-client.ts"
export type { ServiceLimits } from "./limits.ts"
export type { CallDurations } from "./call-durations.ts"
export type { CallEvent } from "./call-events.ts"
export type { ServicesCounter } from "./counter-names.ts"

// placement
export type { Location, PlacedCallOptions, PlacedKind, Placement, PlaceOptions, StopReason } from "./placement.ts"

// errors
export { ConfigError, RollcallError } from "../error.ts"
