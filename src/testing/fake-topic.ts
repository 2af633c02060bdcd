import { ConfigError } from "../error.ts"
import { isJsonObject } from "../json.ts"
import { CLOSE, ERROR, JOIN, LEAVE, PRESENCE_DIFF, PRESENCE_STATE, PRESENCE_UPDATE } from "../wire/events.ts"
import { countAsked, PRESENCE_COUNT, PRESENCE_SELF } from "../wire/introduction.ts"
import { Payload } from "../wire/payload.ts"
import type { PresenceDiff } from "../wire/presence-payloads.ts"
import { META_NOT_OBJECT, NOT_TRACKED } from "../wire/refusals.ts"
import { v2 } from "../wire/v2.ts"
import type { FakeLine } from "./fake-line.ts"
import { FakePresences } from "./fake-presences.ts"

/** What a server answers to a message: a response, a refusal with its reason, or nothing. */
export type FakeReply = { readonly ok: unknown } | { readonly error: unknown } | undefined

/** A message that the application has sent to a topic. */
export interface SentMessage {
  readonly event: string
  readonly payload: unknown
}

/** One topic of a server in memory: who is in it, what the application has sent to it, and what the server answers. */
export interface FakeTopic<F extends object = Record<string, unknown>> {
  readonly topic: string
  /** The messages of the application, oldest first: updates, pushes and broadcasts, but not joins and leaves. */
  readonly sent: readonly SentMessage[]
  /** The patches of `room.update`, oldest first, as they were sent. A field that was removed is `null`. */
  readonly updates: readonly Readonly<Record<string, unknown>>[]
  /** The params of the joins, oldest first. */
  readonly joins: readonly unknown[]
  /** A user comes, with one device; with one more if it is there already. Returns the reference of the device. */
  readonly join: (key: string, meta?: F) => string
  /**
   * A user changes fields of its newest device, or of the one with this reference. A field that is `undefined` is removed. Returns the
   * new reference.
   *
   * @throws ConfigError if it is not there
   */
  readonly update: (key: string, patch: { readonly [Field in keyof F]?: F[Field] | undefined }, ref?: string) => string
  /** A user leaves with all its devices, or with the one with this reference. @throws ConfigError if it is not there */
  readonly leave: (key: string, ref?: string) => void
  /** The server sends a message to the application, such as the broadcast of another user: `{ x: 1, y: 2, from: "ada" }`. */
  readonly send: (event: string, payload?: object) => void
  /**
   * Sets what the server answers to messages of an event from now on. `undefined` is no answer: the push times out. By default, it
   * answers `{ ok: {} }`. The join is the event `"phx_join"`, and `room.update` is `"presence_update"`.
   *
   * ```ts
   * fake.answer("presence_update", { error: { reason: "field not allowed" } })
   * fake.answer("chat", (payload) => ({ ok: { id: 1 } }))
   * ```
   */
  readonly answer: (event: string, answer: FakeReply | ((payload: unknown) => FakeReply)) => void
  /** The channel crashes, as if a handler had thrown. The room is `stale` with the reason `crashed`, and joins again. */
  readonly crash: (reason?: string) => void
  /** The server closes the channel. The room is `closed` with the reason `kicked`. */
  readonly close: () => void
}

/** A join that is open. */
interface Join {
  readonly line: FakeLine
  readonly ref: unknown
  /** The field by which the application counts the users; `undefined` for a room. */
  readonly count: string | undefined
  /** Our own device. */
  own: string | undefined
}

interface Received {
  readonly joinRef: unknown
  readonly ref: unknown
  readonly event: string
  readonly payload: unknown
}

/** Keeps a topic. @param key under which key our own device is listed; `null`: it is not listed */
export class ScriptedTopic implements FakeTopic {
  readonly topic: string
  readonly sent: SentMessage[] = []
  readonly updates: Readonly<Record<string, unknown>>[] = []
  readonly joins: unknown[] = []
  /** The names of the server's events. `fakeRoom` sets those of its room. */
  readonly names: Record<"update" | "state" | "diff", string> = {
    update: PRESENCE_UPDATE,
    state: PRESENCE_STATE,
    diff: PRESENCE_DIFF,
  }
  readonly #key: string | null
  /** Delivers everything that has been sent so far. */
  readonly #settle: () => void
  readonly #presences = new FakePresences()
  readonly #answers = new Map<string, FakeReply | ((payload: unknown) => FakeReply)>()
  readonly #open = new Set<Join>()

  constructor(topic: string, key: string | null, settle: () => void) {
    this.topic = topic
    this.#key = key
    this.#settle = settle
  }

  readonly join: FakeTopic["join"] = (key, meta = {}) => this.#change(() => this.#presences.join(key, meta)).ref

  readonly update: FakeTopic["update"] = (key, patch, ref) =>
    this.#change(() => {
      const device = this.#devices(key, ref).at(-1)!
      const change = this.#presences.update(device, patch)
      for (const join of this.#open) if (join.own === device) this.#own(join, change.ref)
      return change
    }).ref

  readonly leave: FakeTopic["leave"] = (key, ref) =>
    void this.#change(() => {
      const devices = this.#devices(key, ref)
      // The server has ended our presence, but not our join: it refuses our updates from now on.
      for (const join of this.#open) if (join.own && devices.includes(join.own)) join.own = undefined
      return { diff: this.#presences.leave(devices) }
    })

  readonly send: FakeTopic["send"] = (event, payload = {}) => {
    // A room that has been asked for must be joined by now.
    this.#settle()
    for (const join of this.#open) this.#push(join, event, payload)
    this.#settle()
  }

  readonly answer: FakeTopic["answer"] = (event, answer) => void this.#answers.set(event, answer)

  readonly crash: FakeTopic["crash"] = (reason = "channel_crash") => this.#endAll(ERROR, { reason })

  readonly close: FakeTopic["close"] = () => this.#endAll(CLOSE, {})

  /** A message of the application has come. */
  received(line: FakeLine, { joinRef, ref, event, payload }: Received): void {
    const reply = (answer: FakeReply): void => {
      if (!answer) return
      const [status = "", response] = "error" in answer ? ["error", answer.error] : ["ok", answer.ok]
      line.send(v2.reply(joinRef, ref, this.topic, status, Payload.of(response ?? {}))!)
    }
    const given = this.#answers.has(event) ? this.#answers.get(event) : { ok: {} }
    const answer = typeof given === "function" ? given(payload) : given
    const join = [...this.#open].find((each) => each.line === line)
    if (event === JOIN) {
      this.joins.push(payload)
      if (join) this.#end(join, CLOSE, {})
      reply(answer)
      if (answer && "ok" in answer) this.#enter(line, joinRef, payload)
    } else if (join === undefined || join.ref !== joinRef) {
      // A message of an earlier join.
      reply({ error: { reason: "unmatched topic" } })
    } else if (event === LEAVE) {
      reply({ ok: {} })
      this.#end(join, CLOSE, {})
    } else {
      this.sent.push({ event, payload })
      if (event === this.names.update) reply(this.#updated(join, payload, answer))
      else reply(answer)
    }
  }

  /** A connection has ended, and with it its join. */
  closed(line: FakeLine): void {
    for (const join of this.#open) if (join.line === line) this.#exit(join)
  }

  #enter(line: FakeLine, ref: unknown, params: unknown): void {
    const join: Join = { line, ref, count: countAsked(params), own: undefined }
    if (this.#key !== null) {
      const { me } = Object(params) as { readonly me?: unknown }
      const { ref: own, diff } = this.#presences.join(this.#key, isJsonObject(me) ? me : {})
      this.#notify(diff)
      this.#own(join, own)
    }
    this.#open.add(join)
    if (join.count === undefined) this.#push(join, this.names.state, this.#presences.state())
    else this.#push(join, PRESENCE_COUNT, this.#presences.count(join.count))
  }

  /** Applies an update of our own meta, unless the test has it refused. Returns the answer. */
  #updated(join: Join, payload: unknown, answer: FakeReply): FakeReply {
    const { meta, remove = [] } = Object(payload) as { readonly meta?: unknown; readonly remove?: readonly string[] }
    if (!isJsonObject(meta)) return { error: { reason: META_NOT_OBJECT } }
    this.updates.push(meta)
    if (!answer || "error" in answer) return answer
    if (join.own === undefined) return { error: { reason: NOT_TRACKED } }
    const removed = Object.fromEntries(remove.map((field) => [field, undefined]))
    const { ref, diff } = this.#presences.update(join.own, { ...meta, ...removed })
    this.#own(join, ref)
    this.#notify(diff)
    return { ok: { ...(answer.ok as object), phx_ref: ref } }
  }

  #own(join: Join, ref: string): void {
    join.own = ref
    this.#push(join, PRESENCE_SELF, { key: this.#key, phx_ref: ref })
  }

  #devices(key: string, ref: string | undefined): readonly string[] {
    const all = this.#presences.refsOf(key)
    const found = ref === undefined ? all : all.filter((each) => each === ref)
    if (found.length > 0) return found
    const what = ref === undefined ? key : `${key} with the reference ${ref}`
    throw new ConfigError(`expected ${what} to be in ${this.topic}, got nobody; call join first`)
  }

  /** Makes a change for the test, and sends it. */
  #change<Made extends { readonly diff: PresenceDiff }>(make: () => Made): Made {
    // A room that was asked for joins first, and so sees a change, not a state that has it already.
    this.#settle()
    const made = make()
    this.#notify(made.diff)
    this.#settle()
    return made
  }

  #notify(diff: PresenceDiff): void {
    for (const join of this.#open) {
      if (join.count === undefined) this.#push(join, this.names.diff, diff)
      else this.#push(join, PRESENCE_COUNT, this.#presences.count(join.count))
    }
  }

  #push({ line, ref }: Join, event: string, payload: unknown): void {
    const isDiff = event === this.names.diff
    const given = Payload.of(payload instanceof ArrayBuffer ? new Uint8Array(payload) : payload)
    line.send(isDiff ? v2.broadcast(this.topic, event, given)! : v2.push(ref, this.topic, event, given)!)
  }

  #endAll(event: typeof CLOSE | typeof ERROR, payload: object): void {
    this.#settle()
    for (const join of this.#open) this.#end(join, event, payload)
    this.#settle()
  }

  #end(join: Join, event: typeof CLOSE | typeof ERROR, payload: object): void {
    join.line.send(v2.end(join.ref, this.topic, event, Payload.of(payload)))
    this.#exit(join)
  }

  #exit(join: Join): void {
    this.#open.delete(join)
    if (join.own !== undefined && this.#presences.refsOf(this.#key!).includes(join.own))
      this.#notify(this.#presences.leave([join.own]))
  }
}
