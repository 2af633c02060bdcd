/**
 * Our own meta on a server that answers late, not at all, or holds updates back, while the connection breaks, the channel crashes
 * and fields expire: in the end the server has the last value of each field.
 *
 * `RUNS=10000 npx vitest run --config test/vitest.config.ts client/own-meta-interleavings` runs more of them.
 */
import fc from "fast-check"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { connect, type Room } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { meta } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket, type Sent } from "../support/scripted-websocket.ts"

const RUNS = Number(process.env["RUNS"] ?? 1000)
const TOPIC = "rooms:1"
const FIELDS = ["a", "b", "c"] as const

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Fields = Record<string, unknown>
type Kind = { readonly names: boolean; readonly takesMe: boolean; readonly sendsMe: boolean }

/** A server of one topic with one client, which handles its messages in order, one at a time. */
class Server {
  readonly #kind: Kind
  #socket: ScriptedWebSocket | undefined
  #read = 0
  #join: Sent | undefined
  #refs = 0
  ref = ""
  fields: Fields = {}
  /** Acknowledged and not applied yet, as beyond a limit of updates: the last value of each field. */
  #held: Fields | undefined
  handled = 0

  constructor(kind: Kind) {
    this.#kind = kind
  }

  attach(socket: ScriptedWebSocket): void {
    this.#socket = socket
    this.#read = 0
    this.#join = undefined
    this.#held = undefined
    socket.open()
  }

  /** Handles the next message. @param how 0: holds an update back, 1: applies it without an answer, else answers */
  step(how: number): boolean {
    const socket = this.#socket
    const message = socket?.readyState === 1 ? socket.sent[this.#read++] : undefined
    if (!message) {
      this.#read = Math.min(this.#read, socket?.sent.length ?? 0)
      return false
    }
    if (message.event === "phx_join") this.#joined(message)
    else if (message.event === "phx_leave") socket!.reply(message)
    else if (message.event === "presence_update" && message.joinRef === this.#join?.ref) this.#update(message, how)
    return true
  }

  #joined(message: Sent): void {
    this.#join = message
    this.#held = undefined
    this.fields = { since: 1, ...(this.#kind.takesMe && (message.payload.me as object)) }
    this.ref = `r${(this.#refs += 1)}`
    this.#socket!.reply(message)
    this.#name()
    this.#push("presence_state", { me: { metas: [meta(this.ref, this.fields)] } })
  }

  #update(message: Sent, how: number): void {
    this.handled += 1
    const { meta: given, remove = [] } = message.payload as { meta: Fields; remove?: string[] }
    const change = { ...given, ...Object.fromEntries(remove.map((field) => [field, undefined])) }
    if (how === 0 || this.#held) this.#held = { ...this.#held, ...change }
    else this.#apply(change)
    if (how !== 1) this.#socket!.reply(message, { phx_ref: this.ref })
  }

  applyHeld(): boolean {
    const change = this.#held
    this.#held = undefined
    if (change) this.#apply(change)
    return change !== undefined
  }

  #apply(change: Fields): void {
    const left = meta(this.ref, this.fields) as object
    const previous = this.ref
    this.ref = `r${(this.#refs += 1)}`
    this.fields = Object.fromEntries(
      Object.entries({ ...this.fields, ...change }).filter(([, value]) => value !== undefined),
    )
    this.#name()
    const joins = { me: { metas: [meta(this.ref, { ...this.fields, phx_ref_prev: previous })] } }
    this.#socket!.receive(null, null, TOPIC, "presence_diff", { joins, leaves: { me: { metas: [left] } } })
  }

  #name(): void {
    if (this.#kind.names) this.#push("presence_self", { key: "me", phx_ref: this.ref })
  }

  #push(event: string, payload: unknown): void {
    this.#socket!.receive(this.#join!.ref, null, TOPIC, event, payload)
  }

  crash(): void {
    const join = this.#join
    if (!join || this.#socket?.readyState !== 1) return
    this.#join = this.#held = undefined
    this.#socket.receive(join.ref, join.ref, TOPIC, "phx_error", {})
  }

  drop(): void {
    this.#socket?.drop()
  }
}

class Play {
  readonly #transport = scriptedTransport()
  readonly #timers = clock()
  readonly #server: Server
  readonly #room: Room
  readonly #connection
  readonly #params: object
  /** What each field should be in the end. */
  readonly #wanted: Fields = {}
  readonly #expiries = new Map<string, { at: number; before: unknown }>()
  #pending = 0
  /** A crash may have been caused by what was in flight, which is not sent again. */
  isDoubtful = false

  constructor(kind: Kind) {
    this.#server = new Server(kind)
    this.#connection = connect("ws://example.test/socket", {
      transport: this.#transport.transport,
      timers: this.#timers,
      timeout: 1_000,
      reconnectAfterMs: () => 10,
      rejoinAfterMs: () => 10,
    })
    this.#params = kind.sendsMe ? { me: {} } : {}
    this.#room = this.#connection.room(TOPIC, this.#params)
    this.#room.onError(({ code }) => code === "update_rejected" && (this.isDoubtful = true))
    this.#open()
  }

  #open(): void {
    const socket = this.#transport.latest()
    if (socket.readyState === 0) this.#server.attach(socket)
  }

  #wait(ms: number): void {
    for (const [field, { at, before }] of this.#expiries) {
      if (at > this.#timers.now() + ms) continue
      this.#expiries.delete(field)
      this.#wanted[field] = before
    }
    this.#timers.advance(ms)
    vi.advanceTimersByTime(ms)
    this.#open()
  }

  act(kind: number, choice: number): void {
    const field = FIELDS[choice % 3]!
    const value = [1, 2, { deep: [choice % 2] }, undefined][(choice >> 2) % 4]
    if (kind < 30) this.#update(field, value, undefined, kind % 2 === 0)
    else if (kind < 40) this.#update(field, [1, 2][choice % 2], 500 + (choice % 2) * 1_000, kind % 2 === 0)
    else if (kind < 75) this.#server.step(choice % 8)
    else if (kind < 80) this.#server.applyHeld()
    else if (kind < 84) this.#server.drop()
    else if (kind < 86) this.#server.crash()
    else this.#wait([10, 50, 100, 400, 1_100][choice % 5]!)
  }

  #update(field: string, value: unknown, forMs: number | undefined, isFunction: boolean): void {
    const expiring = this.#expiries.get(field)
    const before = expiring ? expiring.before : this.#wanted[field]
    this.#expiries.delete(field)
    if (forMs !== undefined) this.#expiries.set(field, { at: this.#timers.now() + forMs, before })
    this.#wanted[field] = value
    this.#pending += 1
    const settled = () => void (this.#pending -= 1)
    const patch = { [field]: value }
    this.#room.update(isFunction ? () => patch : patch, { forMs }).then(settled, settled)
  }

  #finish(): void {
    for (let steps = 0; this.#server.step(7) || this.#server.applyHeld(); steps++) {
      if (steps > 1_000) throw new Error("expected the client to come to rest")
    }
  }

  /** Lets everything come to rest, on a connection that is new: what had no answer is sent again on it. */
  async rest(): Promise<void> {
    for (let rounds = 0; rounds < 10; rounds++) {
      this.#finish()
      this.#wait(1_100)
      if (rounds === 4) this.#server.drop()
    }
    await vi.advanceTimersByTimeAsync(0)
  }

  check(): void {
    const { since, ...fields } = this.#server.fields
    expect(since).toBe(1)
    const wanted = Object.fromEntries(Object.entries(this.#wanted).filter(([, value]) => value !== undefined))
    if (!this.isDoubtful) expect(fields).toEqual(wanted)
    expect(this.#pending).toBe(0)
    const { handled } = this.#server
    this.#wait(10_000)
    this.#finish()
    expect(this.#server.handled).toBe(handled)
  }

  end(): void {
    this.#connection.disconnect()
    vi.clearAllTimers()
  }
}

it.each([
  ["a server that names us and takes me from the join", { names: true, takesMe: true, sendsMe: true }],
  ["a server that names us and does not take me", { names: true, takesMe: false, sendsMe: true }],
  ["a server that names us, without me", { names: true, takesMe: false, sendsMe: false }],
  ["a server that does not name us, such as Phoenix", { names: false, takesMe: false, sendsMe: true }],
  ["a server that does not name us and takes me", { names: false, takesMe: true, sendsMe: true }],
])(
  "%s has the last value of each field at rest, and each promise is settled",
  async (_name, kind) => {
    const act = fc.tuple(fc.nat(99), fc.nat(1_000))
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60, size: "max" }), async (acts) => {
        const play = new Play(kind)
        try {
          for (const [what, choice] of acts) play.act(what, choice)
          await play.rest()
          play.check()
        } finally {
          play.end()
        }
      }),
      { numRuns: RUNS },
    )
  },
  600_000,
)
