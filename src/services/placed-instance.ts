import { ConfigError, kindOf } from "../error.ts"
import { isObject } from "../json.ts"
import { untilAborted } from "./cancellation.ts"
import { remoteError } from "./errors.ts"
import { guardedStream, isStream } from "./guarded-stream.ts"
import { MAX_REPLACED } from "./local-processes.ts"
import type { LocalProcesses } from "./local-processes.ts"
import type { PlacementRequests } from "./placement-requests.ts"
import type { CallReceiver, InstanceCall } from "./served-instance.ts"

/** What the receiver needs. */
export interface PlacedInstanceOptions {
  readonly kind: string
  readonly locals: LocalProcesses
  readonly requests: PlacementRequests
  /** Runs the methods of the program's router; `undefined` if it has none. */
  readonly methods: CallReceiver | undefined
}

/** Returns what handles the calls of other nodes to the processes of this one, and their requests to start and stop some. */
export function placedInstance(id: string, { kind, locals, requests, methods }: PlacedInstanceOptions): CallReceiver {
  const invoke = async (id: string, method: unknown, input: unknown, call: InstanceCall): Promise<unknown> => {
    const path = pathOf(method)
    const { process, ended } = locals.called(id, call.cancellation)
    try {
      if (methods === undefined) {
        throw remoteError(`${kind}.${path.join(".")}`, { code: "NOT_FOUND", message: "no such method" })
      }
      const output = await methods.run({ ...call, path, input, context: { id, process } })
      if (isStream(output)) {
        const { signal } = call.cancellation
        return guardedStream({ source: output, signal, failed: (error) => error, ended })
      }
      ended()
      return output
    } catch (error) {
      ended()
      throw error
    }
  }
  const answerTo = (
    request: Record<string, unknown>,
    { path, caller, cancellation }: InstanceCall,
  ): Promise<unknown> => {
    const [what] = path
    const { ids, state, move, ended, replaced, left } = request
    const id = request["id"] as string
    const former = isTexts(replaced) ? replaced.slice(-MAX_REPLACED) : []
    if (what === "ensure") return requests.ensure(id, caller, request["lost"] === true, cancellation.signal)
    if (what === "give") {
      return requests.give({ id, state, move: String(move), ended: String(ended), replaced: former }, caller)
    }
    if (what === "stop") return requests.stop(id)
    if (what === "stopped") {
      const { ref } = request
      const refs = typeof ref === "string" && ref !== "" ? [ref, ...former] : former
      return Promise.resolve(requests.stopped(id, refs))
    }
    // A node of an older version does not say how many it has left.
    if (what === "leave") return Promise.resolve(requests.leave(id, typeof left === "number" ? left : Infinity))
    if (what === "claim" && isTexts(ids)) return Promise.resolve(requests.claim(id, ids))
    throw new ConfigError(
      `expected claim, ensure, give, invoke, leave, stop or stopped, got another request for ${kind}`,
    )
  }
  return {
    id,
    // The processes of an instance that drains can be called until they have moved.
    isDraining: false,
    get running() {
      return methods?.running ?? 0
    },
    async run(call) {
      const request: unknown = call.input
      if (!isObject(request) || typeof request["id"] !== "string") {
        throw new ConfigError(`expected a request with the id of a process, got ${kindOf(request)}`)
      }
      const { id, method, input } = request
      if (call.path[0] === "invoke") return invoke(id, method, input, call)
      // A `start` or a `stop` of the program may never end, and a caller on this node has no other deadline.
      return untilAborted(call.cancellation.signal, answerTo(request, call))
    },
    idle: () => methods?.idle() ?? Promise.resolve(),
    end: (error) => methods?.end(error),
  }
}

function pathOf(method: unknown): readonly string[] {
  if (isTexts(method)) return method
  throw new ConfigError(`expected the path of a method, got ${kindOf(method)}`)
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((part) => typeof part === "string")
