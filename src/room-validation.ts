/** Validates what a client receives in a defined room: the metas of all users, and the events that the definition names. */
import { ConfigError, RollcallError, kindOf } from "./error.ts"
import { isObject } from "./json.ts"
import { guard } from "./listeners.ts"
import { resultOf } from "./standard-schema.ts"
import type { SchemaIssue, SchemaResult, StandardSchema } from "./standard-schema.ts"

/** A value from the server that a schema has refused: a meta of the user `key`, or the payload of `event`. */
export interface Problem {
  readonly topic: string
  /** The presence key of the user. Missing for an event. */
  readonly key?: string
  /** The name of the event. Missing for a meta. */
  readonly event?: string
  /** The refused value, as it came. */
  readonly value: unknown
  /** What the schema says of it. */
  readonly issues: readonly SchemaIssue[]
}

/**
 * What to do with a value that a schema refuses: `"drop"` it, `"keep"` it as it came, or drop it and call a function with the
 * problem.
 */
export type OnInvalid = "drop" | "keep" | ((problem: Problem) => void)

/** The options of a room that concern its validation. */
interface Options {
  readonly definition?:
    | { readonly pattern: string; readonly meta?: StandardSchema | undefined; readonly events: object }
    | undefined
  readonly invalid?: OnInvalid | undefined
}

type Callback = (payload: unknown, ...about: unknown[]) => void

/** The part of a channel that is needed here. */
interface Source {
  readonly topic: string
  on(event: string, callback: Callback): number
}

/** Where errors go that have no caller. */
interface Errors {
  report(error: RollcallError): void
  /** Reports an error that is no fault of the program. */
  log(error: RollcallError): void
  /** Reports what a callback threw. */
  failed(cause: unknown): void
}

/** A value as a schema returned it. `undefined`: the value is dropped. */
type Checked = readonly [value: unknown] | undefined

type Fields = Record<string, unknown>

/** Each meta as it came, and what the schema made of it, by its ref. */
type Metas = Map<unknown, readonly [sent: Fields, checked: Checked]>

/** The fields that the server and the client add to a meta. */
const ADDED_TO_META = ["phx_ref", "phx_ref_prev", "chosen"]
/** The field that the server adds to a relayed event: its sender. */
const ADDED_TO_EVENT = ["from"]

/**
 * Returns the result of a schema. The fields of these names need not be known to the schema: a strict one would refuse them, and
 * others would remove them.
 */
function resultBeside(added: readonly string[], schema: StandardSchema, value: unknown): SchemaResult<unknown> {
  const names = added.filter((name) => isObject(value) && Object.hasOwn(value, name))
  // A copy of bytes would have none.
  if (names.length === 0) return resultOf(schema, value)
  const own = { ...(value as Fields) }
  for (const name of names) delete own[name]
  const result = resultOf(schema, own)
  // The schema may know one of these names after all.
  const accepted = result.issues ? resultOf(schema, value) : result
  if (accepted.issues) return result
  const outside = Object.fromEntries(names.map((name) => [name, (value as Fields)[name]]))
  return isObject(accepted.value) ? { value: { ...outside, ...accepted.value } } : accepted
}

/**
 * Returns a channel that passes on only what the schemas of a definition accept, as they return it. `invalidCount` is the number of
 * values that they have refused. A meta is validated once, however often it is sent.
 *
 * @param names the events of presence
 * @param same compares two JSON values
 * @throws ConfigError for a topic of another room, and for an invalid `invalid`
 */
export function withValidation<Channel extends Source>(
  channel: Channel,
  { definition, invalid = "drop" }: Options,
  names: { readonly state: string; readonly diff: string },
  errors: Errors,
  same: (a: unknown, b: unknown) => boolean,
): Channel & { readonly invalidCount: number } {
  const { topic } = channel
  const { pattern, meta: metaSchema } = definition!
  const events = definition!.events as Readonly<Record<string, StandardSchema>>
  if (pattern.endsWith("*") ? !topic.startsWith(pattern.slice(0, -1)) : topic !== pattern)
    throw new ConfigError(`expected a topic of the definition, ${pattern}, got ${JSON.stringify(topic)}`)
  if (invalid !== "drop" && invalid !== "keep" && typeof invalid !== "function")
    throw new ConfigError(`expected invalid to be "drop", "keep" or a function, got ${kindOf(invalid)}`)

  let invalidCount = 0
  /** The metas since the last state, and those before: the diffs that waited for a state may not be in it. */
  let metas: Metas = new Map()
  let olderMetas = metas
  /** The last message. An event may have several callbacks, and each message is validated once. */
  let last: readonly [event: string, payload?: unknown, checked?: Checked] = [""]

  const refuse = (value: unknown, report: () => void): Checked => {
    invalidCount++
    // Later, because a listener may close the room.
    queueMicrotask(report)
    return invalid === "keep" ? [value] : undefined
  }

  const check = (schema: StandardSchema, value: unknown, about: Pick<Problem, "key" | "event">): Checked => {
    const { event } = about
    // In a room of a thousand users, the same fault is reported once and not a thousand times.
    const isFirst = invalidCount === 0
    try {
      const result = resultBeside(event === undefined ? ADDED_TO_META : ADDED_TO_EVENT, schema, value)
      if (!result.issues) return [result.value]
      const problem = { topic, ...about, value, issues: result.issues }
      return refuse(value, () => {
        if (typeof invalid === "function") return guard(errors.failed, () => invalid(problem))
        if (invalid === "keep" || !isFirst) return
        const [issue] = result.issues
        const path = [...(issue?.path ?? [])].map((part) => String(typeof part === "object" ? part.key : part))
        const what = event === undefined ? `meta of ${JSON.stringify(about.key)}` : `event ${event}`
        const code = event === undefined ? "invalid_meta" : "invalid_payload"
        const text = `${topic}: expected a valid ${what}: ${JSON.stringify(`${path.join(".")} ${issue?.message}`)}`
        errors.log(new RollcallError(code, text, { reason: problem }))
      })
    } catch (cause) {
      return refuse(value, () => {
        if (!isFirst) return
        if (cause instanceof RollcallError) errors.report(cause)
        else errors.failed(cause)
      })
    }
  }

  const metaOf = (key: string, sent: Fields, known: Metas | undefined): readonly unknown[] => {
    const id = sent["phx_ref"] ?? JSON.stringify(sent)
    let entry = metas.get(id) ?? olderMetas.get(id)
    if (!entry || !same(entry[0], sent)) entry = [sent, check(metaSchema!, sent, { key })]
    known?.set(id, entry)
    if (!known) for (const each of [metas, olderMetas]) each.delete(id)
    return entry[1] ?? []
  }

  /**
   * What is malformed is returned as it is: who reads it reports it.
   *
   * @param known where to keep the metas; none for those that leave
   */
  const usersOf = (payload: unknown, known?: Metas): unknown => {
    if (!isObject(payload) || payload instanceof ArrayBuffer) return payload
    const users = Object.entries(payload).map(([key, user]) => {
      const { metas: sent } = Object(user) as { metas?: unknown }
      if (!Array.isArray(sent)) return [key, user] as const
      const checked = sent.flatMap((meta: unknown) => (isObject(meta) ? metaOf(key, meta, known) : [meta]))
      return [key, { ...(user as object), metas: checked }] as const
    })
    return Object.fromEntries(users)
  }

  const receive = (event: string, payload: unknown): Checked => {
    if (metaSchema && event === names.state) {
      const listed: Metas = new Map()
      const users = usersOf(payload, listed)
      olderMetas = metas
      metas = listed
      return [users]
    }
    if (metaSchema && event === names.diff && isObject(payload)) {
      return [{ ...payload, joins: usersOf(payload["joins"], metas), leaves: usersOf(payload["leaves"]) }]
    }
    return Object.hasOwn(events, event) ? check(events[event]!, payload, { event }) : [payload]
  }

  const on = (event: string, callback: Callback): number =>
    channel.on(event, (payload, ...about) => {
      try {
        // A payload may be a value that another event has, too, such as `null`.
        if (last[0] !== event || last[1] !== payload) last = [event, payload, receive(event, payload)]
      } catch (cause) {
        // A payload that is nested too deeply cannot be compared.
        return errors.report(new RollcallError("bad_frame", String(cause), { cause }))
      }
      const [, , checked] = last
      if (checked) callback(checked[0], ...about)
    })
  return Object.create(channel, { on: { value: on }, invalidCount: { get: () => invalidCount } }) as ReturnType<
    typeof withValidation<Channel>
  >
}
