/** Why a message between services was dropped. */
export type DroppedMessage = "garbage" | "version" | "unsigned" | "oversize" | "replayed" | "late"

/** The names of the counters of services. */
export type ServicesCounter =
  | "services_calls"
  | "services_retries"
  | "services_retries_refused"
  | "services_handler_errors"
  | "services_overloads"
  | "services_unsent"
  | "services_moves"
  | "services_conflicts"
  | "services_restarts"
  | `services_refused_${DroppedMessage}`
