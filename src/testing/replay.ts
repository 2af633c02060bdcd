import { connect } from "../client/connect.ts"
import type { ConnectOptions } from "../client/connect-options.ts"
import type { Connection } from "../client/connection.ts"
import type { Signal } from "../client/signals.ts"
import { isJsonObject } from "../json.ts"
import type { Timers } from "../timers.ts"
import { ABNORMAL } from "../wire/close-codes.ts"
import { HEARTBEAT_TOPIC, JOIN, REPLY } from "../wire/events.ts"
import { Payload } from "../wire/payload.ts"
import { v2 } from "../wire/v2.ts"
import { fakeTransport, type FakeLine } from "./fake-line.ts"
import { isFrame, readRecording, type FrameEntry, type RecordingEntry, type RecordingHead } from "./recording.ts"
import { Timeline, type TimelineEvent } from "./timeline.ts"

/** The longest time for which a timer can wait, in milliseconds: the recording says when to try again, not a timer. */
const NEVER_MS = 2 ** 31 - 1

/** The most bytes of a message: what a recording says may be edited by hand. */
const MAX_BYTES = 2 ** 28

const isLength = (bytes: unknown): bytes is number =>
  Number.isInteger(bytes) && (bytes as number) >= 0 && (bytes as number) <= MAX_BYTES

/** One step of a replay. */
export interface ReplayStep {
  /** When it happened, in milliseconds since the recording began. */
  readonly at: number
  readonly what: "open" | "close" | "status" | "in" | "out"
  /** Of a message. */
  readonly topic?: string
  /** Of a message. */
  readonly event?: string
  /**
   * Whether it has been played. A message is not if the application has not asked for its room, or has not sent what it answers; and what
   * the page sent never is: the application does that itself.
   */
  readonly isPlayed: boolean
}

/** A recording that is played step by step to the real client. */
export interface Replay {
  /** What the recording says about itself. */
  readonly head: RecordingHead
  /** The connection for the application under test. Ask it for the rooms of the recording before the first step. */
  readonly connection: Connection
  /** How many steps there are. */
  readonly length: number
  /** How many steps were taken. */
  readonly position: number
  /** Lets time pass until the next step, and takes it. Returns `undefined` after the last one. */
  step(): ReplayStep | undefined
  /** Takes steps until `isEnd` returns true for one; by default to the end. */
  run(isEnd?: (step: ReplayStep) => boolean): void
}

/** A message of the application that waits for its counterpart in the recording. */
type Sent = { readonly topic: string; readonly event: string; readonly ref: unknown; readonly joinRef: unknown }

/**
 * Replays a recording of `record` to the real client: what came to the page comes again, in the same order, at the same times of a clock
 * of its own. So rooms have the views that they had in the page, step by step.
 *
 * ```ts
 * const player = replay(text)
 * const room = player.connection.room("rooms:1", { me: { name: "Ada" } })
 * while (player.step()) console.log(room.status, room.list())
 * player.connection.disconnect()
 * ```
 *
 * Params of rooms must not be promises: a step ends before they could settle.
 *
 * @param options those of `connect` that the page had, such as `maxMessageBytes`; not the transport and the clock
 * @throws ConfigError if the text is no recording, or one of an unknown version
 */
export function replay(text: string, options: Omit<ConnectOptions, "transport" | "timers" | "signals"> = {}): Replay {
  const { entries, ...head } = readRecording(text)
  const timeline = new Timeline()
  // Rooms that wait from the beginning of the page on would have given up before the first entry of a bounded recording.
  timeline.now = entries[0]?.[0] ?? 0
  const timers: Timers = {
    now: () => timeline.now,
    set: (run, ms) => timeline.add(run, timeline.now + ms),
    clear: (timer) => {
      if (timer) (timer as TimelineEvent).run = undefined
    },
    soon: (run) => void timeline.add(run, timeline.now),
  }
  let line: FakeLine | undefined
  let notify: ((signal: Signal) => void) | undefined
  let isDoubted = false
  let position = 0
  /** Messages of the application without a counterpart, oldest first. */
  let sent: Sent[] = []
  /** Ref in the recording → ref of the application's message. */
  const refs = new Map<string, unknown>()
  /** Topic → ref of its join in the recording. */
  const joined = new Map<string, string | null>()
  /** Heartbeats without an answer: the recording says when the connection has proved to be alive. */
  let unanswered: (() => void)[] = []

  const transport = fakeTransport({
    connecting: (next) => (line = next),
    received(to, frame) {
      const { topic, event, ref, joinRef } = v2.decode(frame)
      if (topic !== HEARTBEAT_TOPIC) return void sent.push({ topic: String(topic), event: String(event), ref, joinRef })
      const answer = (): void => to.send(v2.reply(joinRef, ref, topic, "ok", Payload.of({}))!)
      if (isDoubted) unanswered.push(answer)
      else answer()
    },
    closed(closed) {
      if (line === closed) line = undefined
      sent = []
      unanswered = []
    },
  })
  const connection = connect("ws://replay.invalid/socket", {
    reconnectAfterMs: () => NEVER_MS,
    rejoinAfterMs: () => NEVER_MS,
    ...options,
    timers,
    transport,
    signals: (given) => {
      notify = given
      return () => {}
    },
  })

  const close = (code: number, status?: string): void => {
    isDoubted = false
    joined.clear()
    if (status === "paused") connection.pause()
    line?.close(code)
    line?.flush()
  }

  const open = (): boolean => {
    if (line?.status === "open") close(ABNORMAL)
    if (connection.status === "paused") connection.resume()
    if (line?.status !== "connecting") notify?.("online")
    line?.open()
    line?.flush()
    return line?.status === "open"
  }

  const doubt = (isNext: boolean): boolean => {
    if (isDoubted === isNext) return false
    isDoubted = isNext
    notify?.(isNext ? "offline" : "online")
    for (const answer of unanswered.splice(0)) answer()
    line?.flush()
    return true
  }

  /** Finds the application's message for one of the page, so that its answer finds it, too. */
  const match = ([, , joinRef, ref, topic, event]: FrameEntry): void => {
    const isMatch = (message: Sent): boolean => message.topic === topic && message.event === event
    if (event === JOIN) {
      if (joinRef !== null) joined.set(topic, joinRef)
      // The page has joined again by a timer of phoenix.js, which is not on this clock.
      const channel = connection.socket.channels.find((each) => each.topic === topic && each.state === "errored")
      if (!sent.some(isMatch)) channel?.rejoin()
    }
    const at = sent.findIndex(isMatch)
    const [found] = at < 0 ? [] : sent.splice(at, 1)
    if (found && ref !== null) refs.set(ref, found.ref)
  }

  const deliver = ([, , joinRef, ref, topic, event, payload]: FrameEntry): boolean => {
    if (topic === HEARTBEAT_TOPIC && event === REPLY) return false
    const known = topic === HEARTBEAT_TOPIC || refs.has(joinRef ?? joined.get(topic) ?? "")
    const isAnswered = event !== REPLY || (ref !== null && refs.has(ref))
    if (!known || !isAnswered || line?.status !== "open") return false
    const own = (of: string | null): unknown => (of === null ? null : (refs.get(of) ?? null))
    const bytes = isJsonObject(payload) && Object.keys(payload).length === 1 ? payload["$bytes"] : undefined
    if (isLength(bytes)) {
      const given = Payload.of(new Uint8Array(bytes))
      line.send(joinRef === null ? v2.broadcast(topic, event, given)! : v2.push(own(joinRef), topic, event, given)!)
    } else line.send(JSON.stringify([own(joinRef), own(ref), topic, event, payload]))
    line.flush()
    return true
  }

  const play = (entry: RecordingEntry): boolean => {
    if (isFrame(entry)) {
      if (entry[1] === "in") return deliver(entry)
      match(entry)
      return false
    }
    if (entry[1] === "open") return open()
    if (entry[1] === "status") return doubt(entry[2] === "reconnecting")
    const wasOpen = line?.status === "open"
    close(entry[2] ?? ABNORMAL, entry[3])
    return wasOpen
  }

  const step = (): ReplayStep | undefined => {
    const entry = entries[position]
    if (!entry) return undefined
    position += 1
    const [at, what] = entry
    while (timeline.step(at)) line?.flush()
    timeline.now = Math.max(timeline.now, at)
    const isPlayed = play(entry)
    return isFrame(entry) ? { at, what, topic: entry[4], event: entry[5], isPlayed } : { at, what, isPlayed }
  }

  return {
    head,
    connection,
    length: entries.length,
    get position() {
      return position
    },
    step,
    run(isEnd = () => false) {
      for (let taken = step(); taken && !isEnd(taken);) taken = step()
    },
  }
}
