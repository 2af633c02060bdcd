/** The form of a recording: what has passed over a connection, as JSON. */
import { ConfigError, kindOf } from "../error.ts"
import { isJsonObject } from "../json.ts"

const FORMAT = "rollcall-recording"
/** It grows if an older reader would misunderstand what is written. */
const VERSION = 1

/** A message, from the page (`out`) or to it (`in`). Refs are those of the recorded page. */
export type FrameEntry = readonly [
  at: number,
  what: "in" | "out",
  joinRef: string | null,
  ref: string | null,
  topic: string,
  event: string,
  payload: unknown,
]

/**
 * What happened, and when: in milliseconds since the recording began.
 *
 * - `open`: the connection was opened.
 * - `close`: it was closed, with this code if one is known, and the connection had this status then.
 * - `status`: the status of a connection that is in doubt (`reconnecting`), or has proved to be alive (`open`).
 */
export type RecordingEntry =
  | FrameEntry
  | readonly [at: number, what: "open"]
  | readonly [at: number, what: "close", code: number | null, status: string]
  | readonly [at: number, what: "status", status: string]

export const isFrame = (entry: RecordingEntry): entry is FrameEntry => entry[1] === "in" || entry[1] === "out"

/** What stands for bytes, whose content is not recorded. */
export interface RecordedBytes {
  readonly $bytes: number
}

/** What a recording says about itself. */
export interface RecordingHead {
  /** When the recording began, as an ISO date. */
  readonly began: string
  /** How many entries were left out at the beginning. Instead, it begins with the views that they led to. */
  readonly dropped: number
  /** Topics whose views were too large to begin with. */
  readonly missing: readonly string[]
}

const KINDS = ["in", "out", "open", "close", "status"]
/** The latest time of an entry: about three years. A replay would otherwise make heartbeats without end. */
const MAX_AT_MS = 1e11

const isEntry = (entry: unknown): boolean =>
  Array.isArray(entry) &&
  typeof entry[0] === "number" &&
  entry[0] >= 0 &&
  entry[0] <= MAX_AT_MS &&
  KINDS.includes(entry[1] as string)

/** Returns the text of a recording. @param entries each as JSON */
export function writeRecording(head: RecordingHead, entries: readonly string[]): string {
  const start = JSON.stringify({ format: FORMAT, version: VERSION, ...head })
  return `${start.slice(0, -1)},"entries":[\n${entries.join(",\n")}\n]}`
}

/** Reads the text of a recording. @throws ConfigError if it is none, or one of a version that is not known */
export function readRecording(text: string): RecordingHead & { readonly entries: readonly RecordingEntry[] } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ConfigError(`expected the text of a recording, got ${text.length} characters that are not JSON`)
  }
  if (!isJsonObject(value) || value["format"] !== FORMAT)
    throw new ConfigError(`expected the text of a recording, got ${kindOf(value)} without "format":"${FORMAT}"`)
  const { version, entries } = value
  if (version !== VERSION)
    throw new ConfigError(
      `expected a recording of version ${VERSION}, got version ${JSON.stringify(version)}; replay it with the release that has recorded it`,
    )
  if (!Array.isArray(entries)) throw new ConfigError(`expected entries to be an array, got ${kindOf(entries)}`)
  const wrong = entries.findIndex((entry) => !isEntry(entry))
  if (wrong >= 0)
    throw new ConfigError(
      `expected entries[${wrong}] to begin with a time from 0 to ${MAX_AT_MS} ms and one of ${KINDS.join(", ")}, got ${JSON.stringify(entries[wrong]).slice(0, 80)}`,
    )
  return value as unknown as RecordingHead & { readonly entries: readonly RecordingEntry[] }
}
