/** The names of the counters of services. */
export const SERVICES_COUNTERS = [
  "services_calls",
  "services_retries",
  "services_retries_refused",
  "services_handler_errors",
  "services_overloads",
  "services_unsent",
  "services_moves",
  "services_conflicts",
  "services_restarts",
  "services_refused_garbage",
  "services_refused_version",
  "services_refused_unsigned",
  "services_refused_oversize",
  "services_refused_replayed",
  "services_refused_late",
] as const

/** The name of a counter of services. */
export type ServicesCounter = (typeof SERVICES_COUNTERS)[number]
