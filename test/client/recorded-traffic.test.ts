/**
 * Plays back the recorded frames of a real Phoenix server. They go through a real phoenix.js socket into our Presence, and
 * the view is checked after each frame.
 *
 * For each recorded connection there is a socket with a scripted transport, and for each topic that the connection joined
 * there is a channel. The expected view comes from an oracle that uses none of our code. It keeps a plain set of references
 * per topic: a state replaces the set, and each later diff adds and removes references.
 */
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { Presence, Socket, type Channel } from "../../src/client/index.ts"
import { ScriptedWebSocket, scriptedTransport } from "../support/scripted-websocket.ts"

type Recorded = { conn: string; dir: "in" | "out" | "note"; frame: unknown }
type Frame = [joinRef: string | null, ref: string | null, topic: string, event: string, payload: any]

const FOLDER = new URL("../fixtures/phoenix-wire/", import.meta.url)
const scenarios = readdirSync(FOLDER).filter((name) => name.endsWith(".json"))

/**
 * Parses a text frame of version 2. Returns `undefined` for others: some frames are broken on purpose, and those of
 * version 1 are objects.
 */
function parse(text: unknown): Frame | undefined {
  if (typeof text !== "string") return undefined
  try {
    const frame = JSON.parse(text)
    return Array.isArray(frame) && frame.length >= 5 && typeof frame[2] === "string" ? (frame as Frame) : undefined
  } catch {
    return undefined
  }
}

/** The expected users of a topic, by set arithmetic: key → ref → meta as text. */
class Oracle {
  readonly users = new Map<string, Map<string, string>>()
  #pending: any[] | undefined = []

  state(state: object): void {
    this.users.clear()
    this.#add(state)
    for (const diff of this.#pending ?? []) this.#apply(diff)
    this.#pending = undefined
  }

  diff(diff: any): void {
    if (this.#pending) this.#pending.push(diff)
    else this.#apply(diff)
  }

  #apply({ joins, leaves }: any): void {
    this.#add(joins)
    for (const [key, { metas }] of Object.entries<any>(leaves)) {
      for (const { phx_ref } of metas) this.users.get(key)?.delete(phx_ref)
      if (this.users.get(key)?.size === 0) this.users.delete(key)
    }
  }

  #add(state: object): void {
    for (const [key, { metas }] of Object.entries<any>(state)) {
      const user = this.users.get(key) ?? new Map()
      for (const meta of metas) user.set(meta.phx_ref, JSON.stringify(meta))
      this.users.set(key, user)
    }
  }
}

/** Plays back one recorded connection. */
class Playback {
  readonly #transport = scriptedTransport()
  readonly #socket = new Socket("ws://example.test/socket", { transport: this.#transport.transport })
  readonly #topics = new Map<string, { channel: Channel; presence: Presence; oracle: Oracle; synced: boolean }>()
  views = 0
  readonly errors: string[] = []

  constructor() {
    this.#socket.connect()
    this.#wire.open()
  }

  get #wire(): ScriptedWebSocket {
    return this.#transport.latest()
  }

  sent([joinRef, ref, topic, event]: Frame): void {
    // Some recorded clients sent no join_ref. The server then uses the ref as the join_ref.
    const join = joinRef ?? ref
    if (event !== "phx_join" || typeof join !== "string") return
    this.#topics.get(topic)?.channel.leave()
    const channel = this.#socket.channel(topic)
    const presence = new Presence(channel)
    presence.onError((error) => this.errors.push(error.message))
    this.#topics.set(topic, { channel, presence, oracle: new Oracle(), synced: false })
    // phoenix.js must use the recorded join_ref, so its counter is set to the number before it.
    Object.assign(this.#socket, { ref: Number(join) - 1 })
    channel.join()
  }

  received(frame: Frame): void {
    this.#wire.onmessage({ data: JSON.stringify(frame) })
    const [joinRef, , topic, event, payload] = frame
    const joined = this.#topics.get(topic)
    if (!joined) return
    const { channel, presence, oracle } = joined
    if (joinRef !== null && joinRef !== channel.joinRef()) return
    if (event === "presence_state") oracle.state(payload)
    else if (event === "presence_diff") oracle.diff(payload)
    else return
    joined.synced ||= event === "presence_state"
    const view = new Map(
      presence.list(
        (key, { metas }) => [key, new Map(metas.map((meta) => [meta.phx_ref, JSON.stringify(meta)]))] as const,
      ),
    )
    expect(view, `after ${event} on ${topic}`).toEqual(joined.synced ? oracle.users : new Map())
    this.views++
  }

  close(): void {
    this.#socket.disconnect()
  }
}

describe("recorded traffic", () => {
  const compared = new Map<string, number>()

  it.each(scenarios)("%s: the view is right after each frame", (name) => {
    const recorded: Recorded[] = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"))
    const playbacks = new Map<string, Playback>()
    for (const { conn, dir, frame } of recorded) {
      const parsed = parse(frame)
      if (!parsed || dir === "note") continue
      if (!playbacks.has(conn)) playbacks.set(conn, new Playback())
      const playback = playbacks.get(conn)!
      if (dir === "out") playback.sent(parsed)
      else playback.received(parsed)
    }
    let views = 0
    for (const playback of playbacks.values()) {
      expect(playback.errors).toEqual([])
      views += playback.views
      playback.close()
    }
    compared.set(name, views)
  })

  it("compared many views in the scenarios about presence", () => {
    for (const name of scenarios.filter((each) => /^0[1-35]|^08/.test(each)))
      expect(compared.get(name), name).toBeGreaterThan(4)
    expect([...compared.values()].reduce((sum, views) => sum + views, 0)).toBeGreaterThan(100)
  })
})
