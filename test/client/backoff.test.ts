/** When a connection tries again. */
import { afterEach, describe, expect, it, vi } from "vitest"
import { connect, type Connection, type ConnectOptions } from "../../src/client/index.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

const connections: Connection[] = []

afterEach(() => {
  for (const connection of connections.splice(0)) connection.disconnect()
  vi.useRealTimers()
})

function client(options: ConnectOptions) {
  const scripted = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport: scripted.transport, ...options })
  connection.socket.connect()
  connections.push(connection)
  return scripted
}

describe("the delay before an attempt", () => {
  it("grows although each attempt opens, if the server drops each connection", async () => {
    vi.useFakeTimers()
    const { sockets, latest } = client({ random: () => 0.5 })
    for (let ms = 0; ms < 1500; ms += 1) {
      if (latest().readyState === 0) {
        latest().open()
        latest().drop(1001)
      }
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(sockets).toHaveLength(4)
  })

  it("begins anew after a connection that was open for five seconds", async () => {
    vi.useFakeTimers()
    const { sockets, latest } = client({ random: () => 0.5 })
    for (const [openMs, delay] of [
      [4999, 6],
      [4999, 100],
      [5000, 6],
    ] as const) {
      latest().open()
      await vi.advanceTimersByTimeAsync(openMs)
      latest().drop(1001)
      const before = sockets.length
      await vi.advanceTimersByTimeAsync(delay - 1)
      expect(sockets).toHaveLength(before)
      await vi.advanceTimersByTimeAsync(1)
      expect(sockets).toHaveLength(before + 1)
    }
  })

  it("is given by the application as it is, which is told how many attempts were in vain", async () => {
    vi.useFakeTimers()
    const tries: number[] = []
    const { latest } = client({ reconnectAfterMs: (n) => (tries.push(n), 20), random: () => 1 })
    for (let n = 0; n < 3; n += 1) {
      latest().open()
      latest().drop(1001)
      await vi.advanceTimersByTimeAsync(20)
    }
    expect(tries).toEqual([1, 2, 3])
  })

  it("differs between the clients that lost one server: of a hundred, few come back at once", async () => {
    vi.useFakeTimers()
    // A low-discrepancy sequence: the same numbers in each run, evenly spread.
    let n = 0
    const random = (): number => (n = (n + 0.618_033_988_749_895) % 1)
    const clients = Array.from({ length: 100 }, () => client({ random }))
    for (const { latest } of clients) latest().open()
    await vi.advanceTimersByTimeAsync(10_000)
    for (const { latest } of clients) latest().drop(1012)
    /** How many clients came back in each quarter of a second after the server was down for three. */
    const back = new Map<number, number>()
    for (let ms = 0; ms < 12_000; ms += 1) {
      await vi.advanceTimersByTimeAsync(1)
      for (const { latest } of clients) {
        if (latest().readyState !== 0) continue
        if (ms < 3000) {
          // It opens, so that no long poll is tried, and is dropped.
          latest().open()
          latest().drop(1012)
        } else {
          latest().open()
          const window = Math.floor(ms / 250)
          back.set(window, (back.get(window) ?? 0) + 1)
        }
      }
    }
    const counts = [...back.values()]
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100)
    expect(Math.max(...counts)).toBeLessThanOrEqual(25)
  })
})
