import { spawn, type ChildProcess } from "node:child_process"
import { connect } from "node:net"
import { freePort } from "./free-port.ts"
import { find } from "./needs.js"

/** A server program on a loopback port of its own, that can be killed and started again on the same port. */
export interface ServerProcess {
  readonly port: number
  /** Starts it, and resolves once it takes connections. */
  start(): Promise<void>
  /** Kills it without warning, and resolves once it is dead. */
  kill(): Promise<void>
  /** Suspends it, as a partition would: connections stay open and nobody answers. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void
}

/** Prepares a server; `args` are its arguments for a port. */
export async function serverProcess(
  program: "nats-server" | "redis-server",
  args: (port: number) => string[],
): Promise<ServerProcess> {
  const port = await freePort()
  const binary = find(program)
  if (binary === undefined) throw new Error(`expected ${program} to be installed; npm run needs says how`)
  let child: ChildProcess | undefined
  process.once("exit", () => child?.kill("SIGKILL"))
  return {
    port,
    async start() {
      const started = spawn(binary, args(port), { stdio: "ignore" })
      child = started
      await new Promise<void>((resolve, reject) => {
        started.once("exit", (code) => reject(new Error(`${program} ended with ${code} before it took connections`)))
        answers(port, () => started.exitCode === null, resolve)
      })
    },
    async kill() {
      const dying = child
      child = undefined
      if (dying === undefined || dying.exitCode !== null) return
      const dead = new Promise((resolve) => dying.once("exit", resolve))
      dying.kill("SIGKILL")
      await dead
    },
    signal(signal) {
      child?.kill(signal)
    },
  }
}

function answers(port: number, lives: () => boolean, then: () => void): void {
  const socket = connect(port, "127.0.0.1", () => {
    socket.destroy()
    then()
  })
  socket.on("error", () => {
    if (lives()) setTimeout(() => answers(port, lives, then), 10)
  })
}
