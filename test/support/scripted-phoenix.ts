/**
 * A Phoenix server of one topic, for one client, whose every step is chosen by a test: when it reads a message, when it tracks,
 * lists and answers, and which of the frames that may come next comes next.
 *
 * What holds of a real one holds here: replies and states are in order, and so are the diffs of one join. Diffs come in any
 * order to replies and states, except that those of a join come after its reply and before its end. The end of a join can come
 * after the reply to the next one.
 */
import { meta } from "./presences.ts"
import type { ScriptedWebSocket, Sent } from "./scripted-websocket.ts"

type Frame = readonly [joinRef: string | null, ref: string | null, event: string, payload: object]

/** A join that the server serves, or whose last frames it has not sent yet. */
type Join = {
  readonly join: Sent
  /** What is left to do after the reply. */
  todo: ("track" | "list" | "state")[]
  isServed: boolean
  isAnswered: boolean
  listed: object
  /** The ref under which the client is tracked. */
  own: string | undefined
  readonly diffs: Frame[]
  /** The last frame. */
  end: Frame | undefined
}

export class ScriptedPhoenix {
  readonly topic: string
  /** Who is present: the truth. */
  readonly present = new Map<string, { readonly key: string; readonly fields: object; readonly previous?: string }>()
  readonly #socket: ScriptedWebSocket
  readonly #joins: Join[] = []
  readonly #control: Frame[] = []
  readonly #refOf: () => string
  #read = 0

  /** @param others who are present when the connection opens: those of `present` of an earlier one that were not its client */
  constructor(topic: string, socket: ScriptedWebSocket, others: ScriptedPhoenix | undefined, refOf: () => string) {
    this.topic = topic
    this.#socket = socket
    this.#refOf = refOf
    for (const [ref, each] of others?.present ?? []) if (each.key !== "me") this.present.set(ref, each)
  }

  get truth(): Record<string, string[]> {
    const users: Record<string, string[]> = {}
    for (const [ref, { key }] of this.present) (users[key] ??= []).push(ref)
    return users
  }

  /** The steps that are possible now. */
  steps(): (() => void)[] {
    const steps: (() => void)[] = []
    if (this.#socket.readyState !== 1) return steps
    if (this.#read < this.#socket.sent.length) steps.push(() => this.#receive(this.#socket.sent[this.#read++]!))
    for (const join of this.#joins) {
      if (join.todo.length > 0) steps.push(() => this.#work(join))
      if (join.isAnswered && join.diffs.length > 0) steps.push(() => this.#send(join.diffs.shift()!))
    }
    if (this.#control.length > 0) steps.push(() => this.#deliver(this.#control.shift()!))
    for (const join of this.#joins) if (this.#isAtEnd(join)) steps.push(() => this.#finish(join))
    return steps
  }

  /** Another user joins or leaves with a device, or changes one. */
  change(key: string, choice: number): void {
    const own = [...this.present].filter(([, each]) => each.key === key)
    if (own.length === 0 || choice % 3 === 0) return this.#diff([], [this.#add(key, {})])
    const [ref] = own[choice % own.length]!
    this.#replace(ref, key, choice % 3 === 1 ? { n: choice } : undefined)
  }

  /** The channel process of the client crashes. */
  crash(): void {
    const join = this.#joins.find(({ isServed }) => isServed)
    if (join) this.#end(join, "phx_error")
  }

  #isAtEnd({ join, end, diffs }: Join): boolean {
    return end !== undefined && diffs.length === 0 && !this.#control.some(([joinRef]) => joinRef === join.ref)
  }

  #finish(join: Join): void {
    this.#joins.splice(this.#joins.indexOf(join), 1)
    this.#send(join.end!)
  }

  #deliver(frame: Frame): void {
    const [joinRef, ref, event] = frame
    const answered = this.#joins.find(({ join }) => join.ref === joinRef)
    if (event === "phx_reply" && ref === joinRef && answered) answered.isAnswered = true
    this.#send(frame)
  }

  #send([joinRef, ref, event, payload]: Frame): void {
    this.#socket.receive(joinRef, ref, this.topic, event, structuredClone(payload))
  }

  #reply(to: Sent, response: object = {}): void {
    this.#control.push([to.joinRef, to.ref, "phx_reply", { status: "ok", response }])
  }

  #receive(message: Sent): void {
    if (message.topic !== this.topic) {
      this.#socket.reply(message)
      return
    }
    const served = this.#joins.find(({ isServed }) => isServed)
    if (message.event === "phx_join") {
      this.#joins.push({
        join: message,
        todo: ["track", "list", "state"],
        isServed: true,
        isAnswered: false,
        listed: {},
        own: undefined,
        diffs: [],
        end: undefined,
      })
      this.#reply(message)
      if (served) this.#end(served, "phx_close")
    } else if (served && message.joinRef !== served.join.ref) {
      // A leave or a push with the reference of an earlier join is not answered.
    } else if (message.event === "phx_leave") {
      // The reply of a leave may be missing.
      if (Number(message.ref) % 5 > 0 || !served) this.#reply(message)
      if (served) this.#end(served, "phx_close")
    } else if (message.event === "presence_update" && served?.own !== undefined) {
      const ref = this.#replace(served.own, "me", { ...this.present.get(served.own)!.fields, ...message.payload.meta })
      served.own = ref
      this.#reply(message, { phx_ref: ref! })
    } else if (message.event === "presence_update" && served) {
      // The update came before the track: it is handled after it, as messages of one process are.
      this.#work(served)
      this.#receive(message)
    }
  }

  /** The next thing that a channel does after its reply. */
  #work(join: Join): void {
    const todo = join.todo.shift()
    if (todo === "track") this.#diff([], [(join.own = this.#add("me", {}))])
    if (todo === "list") join.listed = this.#presences([...this.present.keys()])
    if (todo === "state") this.#control.push([join.join.ref, null, "presence_state", join.listed])
  }

  #end(join: Join, event: "phx_close" | "phx_error"): void {
    join.isServed = false
    join.todo = []
    if (join.own !== undefined) this.#replace(join.own, "me", undefined)
    const { ref } = join.join
    join.end = [ref, ref, event, {}]
  }

  #add(key: string, fields: object, previous?: string): string {
    const ref = this.#refOf()
    this.present.set(ref, previous === undefined ? { key, fields } : { key, fields, previous })
    return ref
  }

  /** Replaces a meta, or removes it if there are no fields. */
  #replace(ref: string, key: string, fields: object | undefined): string | undefined {
    const left = this.#presences([ref])
    this.present.delete(ref)
    const next = fields && this.#add(key, fields, ref)
    this.#diff(left, next === undefined ? [] : [next])
    return next
  }

  #diff(leaves: object, joined: string[]): void {
    const payload = { joins: this.#presences(joined), leaves: Array.isArray(leaves) ? {} : leaves }
    for (const { isServed, diffs } of this.#joins) if (isServed) diffs.push([null, null, "presence_diff", payload])
  }

  #presences(refs: string[]): Record<string, { metas: object[] }> {
    const users: Record<string, { metas: object[] }> = {}
    for (const ref of refs) {
      const { key, fields, previous } = this.present.get(ref)!
      const all = (users[key] ??= { metas: [] })
      all.metas.push(meta(ref, previous === undefined ? fields : { ...fields, phx_ref_prev: previous }))
    }
    return users
  }
}
