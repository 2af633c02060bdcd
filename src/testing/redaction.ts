/** What a recording must not contain. */
import { isJsonObject } from "../json.ts"
import { JOIN, PRESENCE_DIFF, PRESENCE_STATE, REPLY } from "../wire/events.ts"
import { COUNT_PARAM, PRESENCE_COUNT, PRESENCE_SELF } from "../wire/introduction.ts"
import type { RecordedBytes } from "./recording.ts"

/** Where a value is that may be redacted. */
export interface Place {
  readonly topic: string
  readonly event: string
  readonly direction: "in" | "out"
}

/** Returns what is recorded in place of a value. @param name of the field that holds it; that of an item of an array is its index */
export type Redact = (name: string, value: unknown, place: Place) => unknown

/** What stands for a value that is not recorded. */
const REDACTED = "[redacted]"

/** The names of values that are secret, whatever the application says. */
const SECRET_NAMES = /token|secret|passw|jwt|cookie|credential|authorization|bearer|api_?-?key|session_?-?id/i
/** Signed tokens, wherever they are in a text: three parts of base64url, of which the first is JSON. */
const SECRET_TEXTS = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g
/** The params of a join that are recorded. Any other may be a secret. */
const OPEN_PARAMS = new Set(["me", COUNT_PARAM])
/** Without these, a recording could not be replayed. */
const REFERENCES = new Set(["phx_ref", "phx_ref_prev"])

/** Returns the JSON of a payload without what is secret. @throws what `redact` throws */
export function redacted(payload: unknown, place: Place, redact: Redact | undefined): unknown {
  if (payload instanceof ArrayBuffer) return { $bytes: payload.byteLength } satisfies RecordedBytes
  const { event, direction } = place
  const clean = (value: unknown): unknown => cleaned(value, place, redact)
  const users = (value: unknown): unknown =>
    mapValues(value, (user) => {
      if (!isJsonObject(user) || !Array.isArray(user["metas"])) return clean(user)
      // What stands beside the metas are fields, too. The places of the metas are none: a redaction that keeps only the fields that it
      // knows would leave out all devices.
      const { metas, ...extras } = user
      return { ...(clean(extras) as object), metas: (metas as unknown[]).map(clean) }
    })
  if (direction === "out") {
    const isOpen = (name: string): boolean => event !== JOIN || OPEN_PARAMS.has(name)
    return clean(mapValues(payload, (value, name) => (isOpen(name) ? value : REDACTED)))
  }
  // The names that the protocol gives are no fields, nor are the keys of users.
  if (event === REPLY) return mapValues(payload, (value, name) => (name === "status" ? value : clean(value)))
  if (event === PRESENCE_STATE) return users(payload)
  if (event === PRESENCE_DIFF) return mapValues(payload, users)
  return event === PRESENCE_SELF || event === PRESENCE_COUNT ? payload : clean(payload)
}

function mapValues(value: unknown, map: (value: unknown, name: string) => unknown): unknown {
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, map(each, name)]))
}

function cleaned(value: unknown, place: Place, redact: Redact | undefined): unknown {
  const text = JSON.stringify(value, (name, each: unknown) => {
    if (REFERENCES.has(name)) return each
    if (SECRET_NAMES.test(name)) return REDACTED
    const shown = typeof each === "string" ? each.replace(SECRET_TEXTS, REDACTED) : each
    return redact && name !== "" ? redact(name, shown, place) : shown
  })
  return text === undefined ? null : (JSON.parse(text) as unknown)
}
