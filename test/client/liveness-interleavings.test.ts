/**
 * Random orders of everything that can happen to a connection: in the end it is open, with one socket, and its room is live.
 *
 * `RUNS=10000 npx vitest run --config test/vitest.config.ts client/liveness-interleavings` runs more of them.
 */
import fc from "fast-check"
import { afterEach, expect, it, vi } from "vitest"
import { connect, type Connection, type Signal } from "../../src/client/index.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket } from "../support/scripted-websocket.ts"

afterEach(() => void vi.useRealTimers())

const RUNS = Number(process.env["RUNS"] ?? 300)

const step = fc.oneof(
  fc.constantFrom("pause", "resume", "offline", "online", "awake", "open", "answer", "drop", "die", "sleep", "retake"),
  fc.constantFrom(1, 60, 900, 3_100, 12_000, 61_000),
)

const isLeft = ({ readyState, deaf }: ScriptedWebSocket): boolean => readyState < 2 && !deaf

async function play(steps: readonly (string | number)[], meddling: readonly string[]): Promise<void> {
  vi.useFakeTimers()
  const { transport, sockets, latest } = scriptedTransport()
  let notify: (signal: Signal) => void = () => undefined
  const connection: Connection = connect("ws://example.test/socket", {
    transport,
    signals: (given) => {
      notify = given
      return () => (notify = () => undefined)
    },
  })
  let room = connection.room("rooms:1")
  const errors: unknown[] = []
  vi.stubGlobal("reportError", (error: unknown) => errors.push(error))
  // Each entry is what a listener does when it is called.
  const left = [...meddling]
  const meddle = (): void => act(left.shift() ?? "nothing")
  connection.onStatus(meddle)
  room.subscribe(meddle)

  function answer(socket: ScriptedWebSocket): void {
    if (socket.readyState !== 1 || socket.deaf) return
    for (const sent of socket.sent.splice(0)) {
      if (sent.event === "phx_leave") socket.receive(sent.joinRef, sent.joinRef, "rooms:1", "phx_close", {})
      if (sent.event !== "phx_join") continue
      socket.reply(sent)
      socket.receive(sent.joinRef, null, "rooms:1", "presence_state", { ada: user("1") })
    }
  }

  function act(what: string): void {
    const socket = latest()
    if (what === "pause") connection.pause()
    else if (what === "resume") connection.resume()
    else if (what === "offline" || what === "online" || what === "awake") notify(what)
    else if (what === "open" && socket.readyState === 0) socket.open()
    else if (what === "answer") answer(socket)
    else if (what === "drop") socket.drop()
    else if (what === "die") socket.deaf = true
    else if (what === "sleep") vi.setSystemTime(Date.now() + 3_600_000)
    else if (what === "retake") {
      room.leave()
      room = connection.room("rooms:1")
      room.subscribe(meddle)
    }
  }

  for (const each of steps) {
    const attempts = sockets.length
    const wasPaused = connection.status === "paused"
    if (typeof each === "number") await vi.advanceTimersByTimeAsync(each)
    else act(each)
    if (wasPaused && connection.status === "paused" && each !== "resume") expect(sockets.length).toBe(attempts)
    if (connection.status === "open" || room.status === "live") expect(latest().readyState).toBe(1)
  }
  left.length = 0
  connection.resume()
  notify("online")
  for (let round = 0; round < 60; round += 1) {
    if (latest().readyState === 0 && !latest().deaf) latest().open()
    answer(latest())
    await vi.advanceTimersByTimeAsync(1_000)
  }
  expect([connection.status, room.status, room.size]).toEqual(["open", "live", 1])
  expect(sockets.filter(isLeft)).toEqual([latest()])
  connection.disconnect()
  await vi.advanceTimersByTimeAsync(3_000)
  expect(vi.getTimerCount()).toBe(0)
  expect(errors).toEqual([])
  vi.unstubAllGlobals()
}

it("ends open and live with one socket, whatever came before, and makes no attempt while paused", async () => {
  const steps = fc.array(step, { maxLength: 25 })
  const meddling = fc.array(fc.constantFrom("nothing", "pause", "resume", "awake", "retake"), { maxLength: 4 })
  await fc.assert(fc.asyncProperty(steps, meddling, play), { numRuns: RUNS })
})
