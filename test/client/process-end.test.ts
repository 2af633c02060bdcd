/** A Node process with a client in it, from the built package. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
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
