/** `rollcall/idle`: when a person is away, and what the others see of it. Pages are in test/browser/away.test.ts. */
import fc from "fast-check"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { connect, merged, type Room } from "../../src/client/index.ts"
import { idle, type ActivityEvent, type Activity, type IdleOptions } from "../../src/client/idle.ts"
import { createServer } from "../../src/server/index.ts"
import { memoryTransport } from "../../src/testing/index.ts"
import { clock } from "../support/clock.ts"
import { until } from "../support/until.ts"

type Fields = { name?: string; away?: boolean; status?: string; left?: boolean }

/** A server, and clients of it. Each client is a device of the user that its key names. */
function open() {
  const server = createServer()
  server.socket("/socket", { connect: ({ params }) => ({ key: String(params["key"]) }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    allow: ["name", "away", "status", "left"],
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
  })
  onTestFinished(() => server.close())
  return async (key: string, topic = "rooms:1"): Promise<Room<Fields>> => {
    const { WebSocket: transport } = memoryTransport(server)
    const connection = connect("ws://memory/socket", { transport, params: { key } })
    onTestFinished(() => connection.disconnect())
    const room = connection.room<Fields>(topic, { me: { name: key } }, { updateThrottleMs: 0 })
    await room.ready
    return room
  }
}

/** A watch whose activity the test reports, in virtual time. */
function watch(rooms: Parameters<typeof idle>[0], options: IdleOptions = {}) {
  const timers = clock()
  let report: Parameters<Activity>[0] = () => {}
  const undo = vi.fn()
  const activity: Activity = (notify) => {
    report = notify
    return undo
  }
  const watched = idle(rooms, { activity, timers, ...options })
  onTestFinished(() => watched.stop())
  return { watched, timers, undo, report: (event: ActivityEvent) => report(event) }
}

const fieldsOf = (room: Room<Fields>, key: string): Partial<Fields> => {
  const { phx_ref: _ref, phx_ref_prev: _prev, ...fields } = { ...room.get(key)?.metas.at(-1) }
  return fields
}

/** Waits until a room shows these fields of the newest device of a user. */
const shows = (room: Room<Fields>, key: string, fields: Fields) =>
  expect.poll(() => fieldsOf(room, key)).toEqual(fields)

describe("what is no room", () => {
  test.each([
    ["nothing", undefined],
    ["null", null],
    ["an object", { value: {} }],
    ["a function", () => ({})],
  ])("is refused at once: %s", (what, given) => {
    const message = `expected a room, or a list of rooms, got ${what}`
    expect(() => idle(given as never)).toThrow(message)
    expect(() => idle([given] as never)).toThrow(message)
  })
})

describe("a person", () => {
  test("is away after five minutes without an input, and back with the next one, for all others", async () => {
    const join = open()
    const [ada, bob] = [await join("ada"), await join("bob")]
    const { watched, timers, report } = watch(ada)
    timers.advance(299_999)
    expect(watched.isAway).toBe(false)
    timers.advance(1)
    expect(watched.isAway).toBe(true)
    await shows(bob, "ada", { name: "ada", away: true })
    report("active")
    expect(watched.isAway).toBe(false)
    await shows(bob, "ada", { name: "ada" })
  })

  test("is away a minute after the page was hidden, by default, and back when it is shown", async () => {
    const { watched, timers, report } = watch([])
    report("hidden")
    timers.advance(59_999)
    expect(watched.isAway).toBe(false)
    timers.advance(1)
    expect(watched.isAway).toBe(true)
    report("active")
    expect(watched.isAway).toBe(false)
  })

  test("is away at once when the page is hidden, if hiddenAfterMs is 0", () => {
    const { watched, report } = watch([], { hiddenAfterMs: 0 })
    report("hidden")
    expect(watched.isAway).toBe(true)
  })

  test("is away at once when the page freezes, because no timer can tell it later, also after it is resumed in the background", () => {
    const { watched, report } = watch([])
    report("hidden")
    report("freeze")
    expect(watched.isAway).toBe(true)
    report("hidden")
    expect(watched.isAway).toBe(true)
    report("active")
    expect(watched.isAway).toBe(false)
  })

  test("is away by the time, not by the timer: a late one is made up for by the next event", () => {
    const late = { ...clock(), set: () => undefined }
    let now = 0
    const { watched, report } = watch([], { timers: { ...late, now: () => now } })
    report("hidden")
    now = 60_000
    report("hidden")
    expect(watched.isAway).toBe(true)
  })

  test("is not away while an application reports activity that the page does not see", () => {
    const { watched, timers } = watch([], { afterMs: 1000 })
    for (let seconds = 0; seconds < 5; seconds += 1) {
      timers.advance(999)
      watched.active()
    }
    expect(watched.isAway).toBe(false)
  })

  test("is away if all devices are, and active if any is", async () => {
    const join = open()
    const [first, second, bob] = [await join("ada"), await join("ada"), await join("bob")]
    const [one, two] = [watch(first), watch(second)]
    const isAway = () => merged(bob.get("ada")).away
    const awayMetas = () => bob.get("ada")?.metas.filter(({ away }) => away).length
    one.timers.advance(300_000)
    await until(() => awayMetas() === 1)
    expect(isAway()).toBeUndefined()
    two.timers.advance(300_000)
    await until(() => awayMetas() === 2)
    expect(isAway()).toBe(true)
    one.report("active")
    await until(() => awayMetas() === 1)
    expect(isAway()).toBeUndefined()
  })

  test("is away exactly when neither the last input nor the last look at the page is recent, whatever happens", () => {
    const events = fc.constantFrom<ActivityEvent>("active", "hidden")
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 150 }), events), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (steps) => {
        const seen: boolean[] = []
        const { watched, timers, report } = watch([], {
          afterMs: 200,
          hiddenAfterMs: 90,
          onChange: (is) => seen.push(is),
        })
        let [active, hidden] = [0, Infinity]
        for (const [ms, event] of steps) {
          timers.advance(ms)
          expect(watched.isAway).toBe(timers.now() >= Math.min(active + 200, hidden + 90))
          report(event)
          if (event === "active") [active, hidden] = [timers.now(), Infinity]
          if (event === "hidden") hidden = Math.min(hidden, timers.now())
          expect(watched.isAway).toBe(timers.now() >= Math.min(active + 200, hidden + 90))
        }
        // Each change is reported once.
        expect(seen).toEqual(seen.map((_, at) => at % 2 === 0))
        watched.stop()
        expect(timers.pending).toBe(0)
      }),
    )
  })
})

describe("a status that the person chose", () => {
  test("is not overwritten when the person goes away, nor removed when they are back", async () => {
    const join = open()
    const [ada, bob] = [await join("ada"), await join("bob")]
    await ada.update({ status: "busy" }, { chosen: true })
    const { timers, report } = watch(ada, { field: "status", away: "away" })
    timers.advance(300_000)
    report("active")
    await ada.update({ left: true })
    await until(() => bob.get("ada")?.metas[0].left === true)
    expect(merged(bob.get("ada")).status).toBe("busy")
  })

  test("stays if it was chosen while the person was away", async () => {
    const join = open()
    const [ada, bob] = [await join("ada"), await join("bob")]
    const { timers, report } = watch(ada, { field: "status", away: "away" })
    timers.advance(300_000)
    await shows(bob, "ada", { name: "ada", status: "away" })
    await ada.update({ status: "in a call" })
    report("active")
    await ada.update({ left: true })
    await shows(bob, "ada", { name: "ada", left: true, status: "in a call" })
  })

  test("stays if it is the same as that of the watch, which has not set it", async () => {
    const join = open()
    const ada = await join("ada")
    await ada.update({ status: "away" })
    const { timers, report } = watch(ada, { field: "status", away: "away" })
    timers.advance(300_000)
    report("active")
    await ada.update({ left: true })
    await until(() => ada.self?.metas[0].left === true)
    expect(fieldsOf(ada, "ada").status).toBe("away")
  })
})

describe("the rooms", () => {
  test("are one or several, and a closed one is left out", async () => {
    const join = open()
    const [one, two] = [await join("ada"), await join("ada", "rooms:2")]
    const [bob, eve] = [await join("bob"), await join("eve", "rooms:2")]
    const closed = await join("ada")
    closed.leave()
    const { timers } = watch([closed, one, two])
    timers.advance(300_000)
    await shows(bob, "ada", { name: "ada", away: true })
    await shows(eve, "ada", { name: "ada", away: true })
  })

  test("do not notice what another one throws, nor a listener, which is reported as an uncaught error", () => {
    const reported = vi.fn()
    vi.stubGlobal("reportError", reported)
    onTestFinished(() => void vi.unstubAllGlobals())
    const fail = (cause: string) => () => {
      throw new Error(cause)
    }
    const update = vi.fn()
    const rooms = [fail("room"), update].map((update) => ({ status: "live", push: () => {}, update }))
    const { timers, report, watched } = watch(rooms, { onChange: fail("listener") })
    timers.advance(300_000)
    expect(update).toHaveBeenCalledOnce()
    expect(reported.mock.calls.map(([{ code, cause }]) => `${code} ${cause.message}`)).toEqual([
      "callback_failed room",
      "callback_failed listener",
    ])
    report("active")
    expect(watched.isAway).toBe(false)
  })

  test("keep the field through a reconnect", async () => {
    const server = createServer()
    onTestFinished(() => server.close())
    server.socket("/socket")
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: (_channel, me) => ({ key: "ada", meta: me }),
      allow: ["away"],
    })
    const memory = memoryTransport(server)
    const connection = connect("ws://memory/socket", { transport: memory.WebSocket, reconnectAfterMs: () => 0 })
    onTestFinished(() => connection.disconnect())
    const room = connection.room<Fields>("rooms:1", { me: {} })
    await room.ready
    const { timers } = watch(room)
    timers.advance(300_000)
    await until(() => room.self?.metas[0].away === true)
    const ref = room.self?.metas[0].phx_ref
    memory.drop()
    await until(() => room.status === "live" && room.self?.metas[0].phx_ref !== ref)
    expect(room.self?.metas[0].away).toBe(true)
  })
})

describe("a page that is left", () => {
  /** What `connection.onPageHide` is, and the moment at which the page is left. */
  function page() {
    const listeners = new Set<() => void>()
    return {
      leave: () => [...listeners].map((listener) => listener()),
      listeners,
      connection: {
        onPageHide(listener: () => void) {
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
      },
    }
  }

  test("sends the chosen fields at once, also right after another update", async () => {
    const join = open()
    const [ada, bob] = [await join("ada"), await join("bob")]
    const { connection, leave } = page()
    watch(ada, { leaving: { left: true }, connection })
    void ada.update({ status: "busy" })
    leave()
    await shows(bob, "ada", { name: "ada", status: "busy", left: true })
  })

  test("sends them by the event of the room's updates, in each room, until the watch is stopped", () => {
    const push = vi.fn()
    const { connection, leave, listeners } = page()
    const room = { status: "live", update: () => {}, push }
    const { watched } = watch([room, { ...room }], { leaving: { left: true }, updateEvent: "change", connection })
    leave()
    expect(push.mock.calls).toEqual(Array.from({ length: 2 }, () => ["change", { meta: { left: true } }]))
    watched.stop()
    expect(listeners.size).toBe(0)
  })

  test("sends nothing by default: its connection closes, which the others see as a leave", () => {
    const { connection, listeners } = page()
    watch([], { connection })
    expect(listeners.size).toBe(0)
  })
})

describe("a watch", () => {
  test("that is stopped puts the field back, listens to nothing, and leaves no timer", async () => {
    const join = open()
    const [ada, bob] = [await join("ada"), await join("bob")]
    const { watched, timers, undo } = watch(ada)
    timers.advance(300_000)
    await shows(bob, "ada", { name: "ada", away: true })
    watched.stop()
    await shows(bob, "ada", { name: "ada" })
    expect([undo.mock.calls.length, timers.pending, watched.isAway]).toEqual([1, 0, false])
  })

  test("on a server, which has no page, does nothing and keeps nothing alive", () => {
    const timers = clock()
    const update = vi.fn()
    const watched = idle({ status: "live", update, push: () => {} }, { timers })
    timers.advance(1_000_000)
    expect([timers.pending, watched.isAway, update.mock.calls.length]).toEqual([0, false, 0])
    watched.active()
    timers.advance(1_000_000)
    expect([timers.pending, watched.isAway, update.mock.calls.length]).toEqual([0, false, 0])
    watched.stop()
  })

  test("that is stopped stays so: late inputs start no timer, and its source is ended once", () => {
    const update = vi.fn()
    const { watched, timers, undo, report } = watch({ status: "live", update, push: () => {} })
    watched.stop()
    watched.active()
    for (const event of ["active", "hidden", "freeze"] as const) report(event)
    expect([timers.pending, watched.isAway]).toEqual([0, false])
    watched.stop()
    timers.advance(1_000_000)
    expect([undo.mock.calls.length, update.mock.calls.length, watched.isAway]).toEqual([1, 0, false])
  })

  test.for([{ afterMs: -1 }, { afterMs: Number.NaN }, { hiddenAfterMs: "fast" as never }, { hiddenAfterMs: 2 ** 31 }])(
    "refuses %j",
    (options) => {
      expect(() => idle([], options)).toThrow(/expected \w+ to be a number from 0 to 2147483647, got/)
    },
  )
})
