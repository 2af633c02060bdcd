/** A Node process with a client in it, from the built package. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { expect, it, onTestFinished, vi } from "vitest"
import { connect } from "../../src/client/index.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"
import { serve } from "../support/serve.ts"

const script = fileURLToPath(new URL("../support/leaving-client.js", import.meta.url))

it.each(["push", "buffered push", "join", "token"])(
  "a process ends by itself after disconnect(), with a %s under way",
  async (what) => {
    const never = (): Promise<never> => new Promise(() => {})
    const { url } = await serve((server) => {
      server.socket("/socket", {})
      server.channel("rooms:*", {
        join: (topic) => (topic === "rooms:never" ? never() : { ok: {} }),
        on: { never, presence_update: never },
      })
    })
    const child = spawn(process.execPath, [script, `${url}/socket`, what], { stdio: "inherit" })
    expect(await once(child, "exit")).toEqual([0, null])
  },
)

it("a process ends by itself when it leaves its last room, without disconnect()", async () => {
  const { url } = await serve((server) => {
    server.socket("/socket", {})
    server.channel("rooms:*", { join: () => ({ ok: {} }), presence: () => ({ key: "ada" }) })
  })
  const child = spawn(process.execPath, [script, `${url}/socket`, "room"], { stdio: "inherit" })
  expect(await once(child, "exit")).toEqual([0, null])
})

it.each(["failed", "opened", "was refused"])("disconnect() leaves no timer after an attempt that %s", async (what) => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport })
  const room = connection.room("rooms:1")
  void room.push("hi")
  if (what !== "failed") latest().open()
  if (what === "was refused") latest().receive(null, null, "phoenix", "rollcall", { refused: "signed out" })
  latest().drop()
  connection.disconnect()
  expect(vi.getTimerCount()).toBe(0)
})
