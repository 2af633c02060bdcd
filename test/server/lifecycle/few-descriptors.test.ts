import { spawn } from "node:child_process"
import { EventEmitter, once } from "node:events"
import type { Server as HttpServer } from "node:http"
import { expect, it, onTestFinished, test } from "vitest"
import { guardDescriptors } from "../../../src/server/lifecycle/descriptor-guard.ts"
import { clock } from "../../support/clock.ts"
import { WireSocket } from "../../support/wire-socket.ts"

const LIMIT = 120
const CLIENTS = 200

interface Report {
  readonly counters: Record<string, number>
  readonly logged: readonly unknown[][]
}

it.each(["listen", "attach"])(
  "a process without file descriptors closes new connections, counts all of them and logs once: %s",
  async (how) => {
    const script = `ulimit -n ${LIMIT}; exec "$0" test/support/few-descriptors-server.js ${how}`
    const child = spawn("sh", ["-c", script, process.execPath], { stdio: ["ignore", "inherit", "inherit", "ipc"] })
    onTestFinished(() => void child.kill("SIGKILL"))
    const [{ port, operations }] = (await once(child, "message")) as [{ port: number; operations?: string }]
    const url = `ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`
    const clients = Array.from({ length: CLIENTS }, () => new WireSocket(url))
    onTestFinished(() => {
      for (const { raw } of clients) raw.destroy()
    })
    const seen = await Promise.all(clients.map(({ inbox }) => inbox.next()))
    const refused = seen.filter((each) => (each as { event: string }).event === "close").length
    expect(refused).toBeGreaterThan(CLIENTS - LIMIT)
    expect(refused).toBeLessThan(CLIENTS - LIMIT / 2)
    // The port for operations is served from the reserve.
    if (operations !== undefined) expect((await fetch(`${operations}/health`)).status).toBe(200)
    const reported = once(child, "message")
    child.send("report")
    const [{ counters, logged }] = (await reported) as [Report]
    expect(counters).toMatchObject({ descriptor_shortages: refused, connects: CLIENTS - refused })
    expect(logged).toEqual([
      [
        "connections are refused: the process has hardly any file descriptors left",
        { refused: expect.any(Number), limit: LIMIT },
      ],
    ])
    for (const { raw } of clients) raw.destroy()
    let beginning: unknown
    while ((beginning as { event: string } | undefined)?.event !== "open") {
      const client = new WireSocket(url)
      onTestFinished(() => void client.raw.destroy())
      beginning = await client.inbox.next()
    }
  },
)

test("refused connections are logged at once, and then their number once a minute while there are more", () => {
  const timers = clock()
  const http = new EventEmitter()
  const logged: unknown[] = []
  let counted = 0
  const logger = { warn: () => undefined, error: (_message: string, details: unknown) => logged.push(details) }
  const guard = guardDescriptors(http as HttpServer, { count: () => (counted += 1), logger, timers, limit: 80 })
  const connect = (fd: number): boolean => {
    let isClosed = false
    http.emit("connection", { _handle: { fd }, destroy: () => (isClosed = true) })
    return isClosed
  }
  // An eighth of the descriptors is kept.
  expect([connect(69), connect(70), connect(79)]).toEqual([false, true, true])
  expect(guard.takes(Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }))).toBe(true)
  expect(guard.takes(new Error("another one"))).toBe(false)
  expect([counted, logged]).toEqual([3, [{ refused: 1, limit: 80 }]])
  timers.advance(60_000)
  expect(logged.at(-1)).toEqual({ refused: 2, limit: 80 })
  timers.advance(60_000)
  expect([logged.length, timers.pending]).toEqual([2, 0])
  connect(75)
  expect(logged.at(-1)).toEqual({ refused: 1, limit: 80 })
  guard.stop()
  expect([timers.pending, connect(75), http.listenerCount("connection")]).toEqual([0, false, 0])
})
