import { spawn, type ChildProcess } from "node:child_process"
import { existsSync } from "node:fs"
import { connect, createServer } from "node:net"
import { delimiter, join } from "node:path"

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
export async function serverProcess(program: string, args: (port: number) => string[]): Promise<ServerProcess> {
  const port = await freePort()
  const binary = find(program)
  let child: ChildProcess | undefined
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

/** Debian puts daemons into /usr/sbin, which is not on everybody's PATH. */
function find(program: string): string {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
  if (found === undefined)
    throw new Error(`${program} must be installed to run these tests; it is on none of ${folders}`)
  return found
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
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
