import { RollcallError } from "../error.ts"
import { quote } from "../quote.ts"
import { shownCall } from "./shown.ts"

/** Whether a value is the package's error with one of these codes. */
export const hasCode = (error: unknown, ...codes: readonly string[]): error is RollcallError =>
  error instanceof RollcallError && codes.includes(error.code)

/** The services of this node are closed. */
export function closedServices(): RollcallError {
  return new RollcallError("closed", "expected services that are open, got closed ones")
}

/** No instance can take the call. @param why such as `"no instance in zone \"a\""` */
export function noInstance(service: string, why: string): RollcallError {
  return new RollcallError("no_instance", `expected an instance of ${quote(service)} that takes calls, got ${why}`)
}

/** The call was not answered in time. Whether it ran is unknown. */
export function timedOut(call: string, ms: number): RollcallError {
  return new RollcallError(
    "timeout",
    `expected ${shownCall(call)} to answer within ${Math.round(ms)} ms, got no answer`,
  )
}

/** The instance ended, or its node is gone, before it had answered. Whether the call ran is unknown. */
export function instanceGone(call: string, id: string): RollcallError {
  return new RollcallError(
    "instance_gone",
    `expected ${shownCall(id)} to answer ${shownCall(call)}, got the end of the instance`,
  )
}

/** Items of a stream were lost between the nodes. */
export function streamGap(call: string, expected: number, got: number): RollcallError {
  const message = `expected item ${expected} of the stream of ${shownCall(call)}, got item ${got}: the bus lost some; call again`
  return new RollcallError("stream_gap", message)
}

/** The instance takes no new calls. The call did not run. */
export function draining(call: string, id: string): RollcallError {
  return new RollcallError(
    "draining",
    `expected ${shownCall(id)} to take ${shownCall(call)}, got an instance that is draining`,
  )
}

/** The process is on its way from one node to another. The call did not run. */
export function moving(kind: string, id: string): RollcallError {
  const message = `expected the process ${quote(id)} of ${quote(kind)} to run, got one that is moving; call again`
  return markNotRun(new RollcallError("moving", message))
}

/** Too many calls are in flight at a node. The call did not run. @param where an instance, or `"this node"` */
export function overloaded(call: string, where: string): RollcallError {
  return new RollcallError(
    "overloaded",
    `expected ${shownCall(where)} to take ${shownCall(call)}, got too many calls in flight already`,
  )
}

/** The route threw, or returned something else than one of the instances that it got. */
export function badRoute(service: string, got: string, cause?: unknown): RollcallError {
  const message = `expected the route to return one of the instances of ${quote(service)} that it got, got ${got}`
  return new RollcallError("bad_route", message, { cause })
}

/** What a handler's error becomes for its caller. */
export interface RemoteReason {
  /** The code of an `ORPCError`; `INTERNAL_SERVER_ERROR` for any other error. */
  readonly code: string
  /** The message of an `ORPCError`. That of any other error is not sent, since it may hold a secret. */
  readonly message: string
  /** The data of an `ORPCError`. */
  readonly data?: unknown
}

/** The handler failed with an error that its contract does not define. `reason` has its code and message. */
export function remoteError(call: string, reason: RemoteReason): RollcallError {
  const message = `expected ${shownCall(call)} to succeed, got ${reason.code}: ${reason.message}`
  return new RollcallError("remote_error", message, { reason })
}

/** The answer does not fit its own types. */
export function unreadable(call: string): RollcallError {
  return remoteError(call, { code: "UNREADABLE_ANSWER", message: "types that do not fit the value" })
}

/** Errors of calls that did not run for certain, so that another instance may get them. */
const notRun = new WeakSet()

/** Marks an error as that of a call that did not run, and returns it. */
export function markNotRun<Thrown>(error: Thrown): Thrown {
  if (typeof error === "object" && error !== null) notRun.add(error)
  return error
}

/** Whether the call did not run for certain. */
export function hasNotRun(error: unknown): boolean {
  return typeof error === "object" && error !== null && notRun.has(error)
}
