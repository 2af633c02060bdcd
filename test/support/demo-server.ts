import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { freePort } from "./free-port.js"

/** The demo's server in a process of its own. It can be killed, and started again on the same port. */
export interface DemoServer {
  readonly url: string
  /** Ends the process as a crash would: no client and no node is notified. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Stops the process where it is, with its connections open, as an overloaded machine does. */
  freeze(): void
  thaw(): void
}

/** Starts the built server of `npm run demo` on a free port. */
export async function startDemoServer(): Promise<DemoServer> {
  const port = await freePort()
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const env = { ...process.env, PORT: String(port) }
    const started = spawn(process.execPath, ["demo/bundle/server.js"], { env, stdio: ["ignore", "pipe", "inherit"] })
    child = started
    await new Promise<void>((resolve, reject) => {
      started.stdout.once("data", () => resolve())
      started.once("exit", (code) => reject(new Error(`the demo's server ended with ${code} before it listened`)))
    })
  }

  async function kill(): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null) return
    const ended = new Promise((resolve) => ending.once("exit", resolve))
    ending.kill("SIGKILL")
    await ended
  }

  await start()
  const freeze = (): unknown => child?.kill("SIGSTOP")
  const thaw = (): unknown => child?.kill("SIGCONT")
  return { url: `http://localhost:${port}`, start, kill, freeze, thaw }
}
