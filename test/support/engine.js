// Real servers of the engines, on loopback ports of their own. Plain JavaScript, for tests and benchmarks alike.
import { spawn } from "node:child_process"
import { connect } from "node:net"
import { freePort } from "./free-port.js"
import { find } from "./needs.js"

/**
 * A server program that can be killed and started again on the same port.
 *
 * @typedef {object} Engine
 * @property {number} port
 * @property {string} url as the engine's adapter takes it
 * @property {() => Promise<void>} start resolves once it takes connections
 * @property {() => Promise<void>} kill without warning; resolves once it is dead
 * @property {(signal: "SIGSTOP" | "SIGCONT") => void} signal suspends it, as a partition would, and lets it go on
 */

/** A redis-server that keeps nothing on disk; not started yet. @returns {Promise<Engine>} */
export function redisServer() {
  const options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  return engine("redis-server", "redis://", (port) => ["--port", `${port}`, ...options])
}

/**
 * A nats-server with its defaults, `max_payload` 1 MiB among them; not started yet.
 * @param {readonly string[]} more arguments @returns {Promise<Engine>}
 */
export function natsServer(more = []) {
  return engine("nats-server", "nats://", (port) => ["--addr", "127.0.0.1", "--port", `${port}`, ...more])
}

/** Nothing that this process has started outlives it. */
const running = new Set()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

async function engine(program, scheme, args) {
  const binary = find(program)
  if (binary === undefined) throw new Error(`expected ${program} to be installed; npm run needs says how`)
  const port = await freePort()
  let child
  return {
    port,
    url: `${scheme}127.0.0.1:${port}`,
    async start() {
      const started = spawn(binary, args(port), { stdio: "ignore" })
      child = started
      running.add(started)
      started.once("exit", () => running.delete(started))
      await new Promise((resolve, reject) => {
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
    signal: (signal) => child?.kill(signal),
  }
}

function answers(port, lives, then) {
  const socket = connect(port, "127.0.0.1", () => {
    socket.destroy()
    then()
  })
  socket.on("error", () => {
    if (lives()) setTimeout(() => answers(port, lives, then), 10)
  })
}
