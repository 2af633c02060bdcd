import type { Connection } from "../client/connection.ts"
import type { Message } from "../client/phoenix.ts"
import { ConfigError } from "../error.ts"
import { systemClock, type Clock } from "../timers.ts"
import { byteLength } from "../wire/byte-length.ts"
import { RecordedViews } from "./recorded-views.ts"
import { writeRecording, type RecordingEntry } from "./recording.ts"
import { redacted, type Redact } from "./redaction.ts"

/** Options of `record`. */
export interface RecordOptions {
  /** How many entries are kept, the latest ones. Default 1 000. */
  readonly maxEntries?: number | undefined
  /** How many bytes of text they may have together, and as many again the views with which they begin. Default 262 144, 256 KiB. */
  readonly maxBytes?: number | undefined
  /**
   * Returns what is recorded in place of a field's value; `undefined` leaves the field out. It is called for all fields of all payloads,
   * those of objects in them included.
   */
  readonly redact?: Redact | undefined
  /** Called with each entry that is recorded, and its size in bytes: what `text()` has of it. */
  readonly onEntry?: ((entry: RecordingEntry, bytes: number) => void) | undefined
  /** The clock. Default: the platform's. */
  readonly timers?: Clock | undefined
}

/** A recording of a connection, as it grows. */
export interface Recording {
  /** How many entries are kept. */
  readonly size: number
  /** How many payloads could not be recorded, for instance because `redact` threw. They are recorded as `null`. */
  readonly failed: number
  /** Returns the recording as JSON: for a file, for a bug report, for `replay`. */
  text(): string
  /** Ends the recording. What was recorded stays. */
  stop(): void
}

type Kept = { readonly entry: RecordingEntry; readonly text: string; readonly bytes: number }

/**
 * Records what passes over a connection: messages, and when it was opened and closed. It begins where it is called, so call it before the
 * first room is asked for.
 *
 * Secrets are never recorded: the connection's params and token, the params of joins except for `me`, fields whose names suggest a secret,
 * such as `accessToken`, and signed tokens in any text. Of bytes, only the number is recorded. What else is private is for `redact`.
 *
 * The oldest entries are dropped beyond the limits. The recording then begins with the views to which they led.
 *
 * ```ts
 * const recording = record(connection, { redact: (name, value) => (name === "email" ? "…" : value) })
 * report.attach("rollcall.json", recording.text())
 * ```
 *
 * @throws ConfigError for a limit that is no number from 1
 */
export function record(connection: Connection, options: RecordOptions = {}): Recording {
  const { maxEntries = 1000, maxBytes = 262_144, redact, onEntry, timers = systemClock } = options
  for (const [name, limit] of Object.entries({ maxEntries, maxBytes })) {
    if (!(limit >= 1)) throw new ConfigError(`expected ${name} to be a number from 1, got ${String(limit)}`)
  }
  const { socket } = connection
  const { encode, decode } = socket
  const began = new Date().toISOString()
  const beganAt = timers.now()
  const views = new RecordedViews()
  const kept = new Set<Kept>()
  let bytes = 0
  let dropped = 0
  let failed = 0
  let isOn = true
  let isOpen = false
  let isDoubted = false

  const keep = (...entry: unknown[]): void => {
    // As precise as clocks of pages are: timers of a replay must not change places with frames.
    const at = Math.round((timers.now() - beganAt) * 1000) / 1000
    const made = [at, ...entry] as unknown as RecordingEntry
    const text = JSON.stringify(made)
    const added = { entry: made, text, bytes: byteLength(text) }
    kept.add(added)
    bytes += added.bytes
    for (const oldest of kept) {
      if (kept.size <= maxEntries && bytes <= maxBytes) break
      kept.delete(oldest)
      bytes -= oldest.bytes
      dropped += 1
      try {
        views.add(oldest.entry)
      } catch {
        failed += 1
      }
    }
    try {
      onEntry?.(made, added.bytes)
    } catch {
      failed += 1
    }
  }

  const open = (): void => {
    if (isOpen) return
    isOpen = true
    keep("open")
  }

  const close = (code: number | null): void => {
    if (isOpen) keep("close", code, connection.status)
    isOpen = isDoubted = false
  }

  /** Nothing that goes wrong in a recording may reach the connection: a payload of a server may be anything. */
  const keepFrame = (direction: "in" | "out", message: Message, payloadOf: () => unknown): void => {
    if (!isOn) return
    const { join_ref: joinRef, ref, topic, event } = message
    let shown: unknown = null
    try {
      // phoenix.js sends what has waited before it reports that the connection is open.
      if (socket.isConnected()) open()
      shown = redacted(payloadOf(), { topic, event, direction }, redact)
    } catch {
      failed += 1
    }
    keep(direction, joinRef ?? null, ref ?? null, topic, event, shown)
  }

  const recordEncode: typeof encode = (message: Message, done) =>
    encode(message, (frame: unknown) => {
      const { payload } = message
      // The params of a join are in the frame only, if a function has returned them.
      const paramsOf = (): unknown => (typeof frame === "string" ? (JSON.parse(frame) as unknown[])[4] : {})
      keepFrame("out", message, () => (typeof payload === "function" ? paramsOf() : payload))
      done(frame)
    })
  const recordDecode: typeof decode = (raw, done) =>
    decode(raw, (message: Message) => {
      // What the client refuses itself does not come from the network.
      if (typeof raw === "string" || raw instanceof ArrayBuffer) keepFrame("in", message, () => message.payload)
      done(message)
    })

  socket.encode = recordEncode
  socket.decode = recordDecode
  if (socket.isConnected()) open()
  const refs = [
    socket.onOpen(open),
    socket.onClose((event: { readonly code?: number } | undefined) => {
      // The end of a connection may be reported when the next one is open already.
      if (!socket.isConnected()) close(event?.code ?? null)
    }),
  ]
  const undo = connection.onStatus((status) => {
    // The client has given it up, and may never learn how it ended. Otherwise its end is reported next, with a code.
    if (!socket.isConnected() && socket.connectionState() !== "closed") close(null)
    else if (socket.isConnected() && isOpen && isDoubted !== (status === "reconnecting")) {
      isDoubted = !isDoubted
      keep("status", status)
    }
  })

  return {
    get size() {
      return kept.size
    },
    get failed() {
      return failed
    },
    text() {
      const missing = new Set<string>()
      let rest = maxBytes
      const start = (dropped > 0 ? views.entries() : []).flatMap(([topic, entries]) => {
        const texts = entries.map((entry) => JSON.stringify(entry))
        const size = texts.reduce((sum, text) => sum + byteLength(text), 0)
        if (topic === undefined) return texts
        if (size > rest) {
          missing.add(topic)
          return []
        }
        rest -= size
        return texts
      })
      return writeRecording({ began, dropped, missing: [...missing] }, [
        ...start,
        ...Array.from(kept, ({ text }) => text),
      ])
    },
    stop() {
      isOn = false
      // Others may have wrapped them since. Then they stay, and pass on what comes.
      if (socket.encode === recordEncode) socket.encode = encode
      if (socket.decode === recordDecode) socket.decode = decode
      undo()
      socket.off(refs)
    },
  }
}
