/**
 * A room on a server whose frames come in any order that Phoenix may choose, while it is left and taken again, its joins time
 * out, its channel crashes and its connection breaks.
 *
 * `RUNS=10000 npx vitest run --config test/vitest.config.ts client/interleavings` runs more of them.
 */
import fc from "fast-check"
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { connect, type Entry, type Room, type RoomOptions } from "../../src/client/index.ts"
import { ScriptedPhoenix } from "../support/scripted-phoenix.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const RUNS = Number(process.env["RUNS"] ?? 2000)
const TOPIC = "rooms:1"

beforeEach(() => {
  vi.useFakeTimers()
  // A channel that crashes while its topic lingers has no listener for its error, which is reported as an uncaught error.
  vi.spyOn(console, "error").mockImplementation(() => {})
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** A client and its server. `act` does one of the things that can happen now. */
class Play {
  readonly #transport = scriptedTransport()
  readonly #connection = connect("ws://example.test/socket", {
    transport: this.#transport.transport,
    timeout: 1_000,
    heartbeatIntervalMs: 1_000_000,
  })
  #server!: ScriptedPhoenix
  #refs = 0
  #room: Room | undefined
  /** What the changes of the room say, put together. */
  #folded = new Map<string, Entry>()
  #given: number | undefined
  /** For how long the server may have had something to do. */
  #lateMs = 0

  readonly #options: RoomOptions

  constructor(options: RoomOptions) {
    this.#options = options
    this.#connection.socket.connect()
    this.#open()
  }

  #open(): void {
    const socket = this.#transport.latest()
    if (socket.readyState !== 0) return
    this.#server = new ScriptedPhoenix(TOPIC, socket, this.#server, () => `r${this.#refs++}`)
    socket.open()
  }

  act(kind: number, choice: number): void {
    const steps = this.#server.steps()
    const room = this.#room
    if (kind < 50) steps[choice % steps.length]?.()
    else if (kind < 66) this.#server.change(["a", "b"][choice % 2]!, choice >> 1)
    else if (kind < 74 && room) this.#leave(room)
    else if (kind < 74) this.#take()
    else if (kind < 80) void room?.update({ n: (this.#given = choice) })
    else if (kind < 84) this.#server.crash()
    else if (kind < 87) this.#transport.latest().drop()
    else this.#wait([20, 60, 1_100, 1_100][choice % 4]!)
  }

  #wait(ms: number): void {
    // The end of a join is waited for three seconds: no longer than that may the server be late.
    if (this.#lateMs + ms > 2_500) this.#finish()
    this.#lateMs += ms
    vi.advanceTimersByTime(ms)
    this.#open()
  }

  #take(): void {
    const room = this.#connection.room(TOPIC, {}, this.#options)
    this.#room = room
    this.#given = undefined
    this.#folded = new Map(room.list((key, user) => [key, user]))
    // What may have crashed the channel is not sent again.
    room.onError(({ code }) => code === "update_rejected" && (this.#given = undefined))
    room.onChange((changes) => {
      for (const { type, key, current, previous } of changes) {
        const before = this.#folded.get(key)
        expect(contentOf(previous), `${type} of ${key}`).toEqual(contentOf(before))
        const [was, is] = [before, current].map((user) => user && user.leftAt === undefined)
        expect(type).toBe(is ? (was ? "update" : "join") : was ? "leave" : "remove")
        if (current) this.#folded.set(key, current)
        else this.#folded.delete(key)
        expect(contentOf(current), `${type} of ${key}`).not.toEqual(contentOf(before))
      }
    })
  }

  #leave(room: Room): void {
    room.leave()
    this.#room = undefined
  }

  /** Lets everything come to rest, with the room open. */
  rest(): void {
    if (!this.#room) this.#take()
    for (let quiet = 0; quiet < 12; quiet++) {
      if (this.#finish()) quiet = 0
      this.#wait(1_000)
    }
  }

  /** Lets the server do all that it can do. Returns whether there was anything. */
  #finish(): boolean {
    this.#lateMs = 0
    const before = this.#server.steps().length
    for (let steps = this.#server.steps(); steps.length > 0; steps = this.#server.steps()) steps[0]!()
    return before > 0
  }

  check(): void {
    const room = this.#room!
    const { present, truth } = this.#server
    const view = Object.fromEntries(room.list((key, { metas }) => [key, metas.map(({ phx_ref }) => phx_ref).sort()]))
    for (const refs of Object.values(truth)) refs.sort()
    expect(view).toEqual(truth)
    expect(room.status).toBe("live")
    expect(truth["me"]).toHaveLength(1)
    expect([...this.#folded.values()].sort(byKey).map(contentOf)).toEqual([...room.list()].sort(byKey).map(contentOf))
    if (this.#given !== undefined) expect(present.get(truth["me"]![0]!)?.fields).toMatchObject({ n: this.#given })
  }

  end(): void {
    this.#connection.disconnect()
    vi.clearAllTimers()
  }
}

/** An entry without its references: a change of nothing else is not reported. */
const contentOf = (user: Entry | undefined) =>
  user && { ...user, metas: user.metas.map(({ phx_ref: _ref, phx_ref_prev: _previous, ...content }) => content) }

const byKey = (a: Entry, b: Entry) => (a.key < b.key ? -1 : 1)

it.each<[string, number, RoomOptions]>([
  ["", RUNS, {}],
  [" with leaves that are held and users that are kept", RUNS / 2, { graceMs: 700, keepLeftMs: 900 }],
])(
  "has the server's view at rest%s, without a ghost and without a loss, and its changes add up to it",
  (_what, numRuns, options) => {
    const act = fc.tuple(fc.nat(99), fc.nat(1_000))
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120, size: "max" }), (acts) => {
        const play = new Play(options)
        try {
          for (const [kind, choice] of acts) play.act(kind, choice)
          play.rest()
          play.check()
        } finally {
          play.end()
        }
      }),
      { numRuns },
    )
  },
  600_000,
)
