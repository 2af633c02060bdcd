// Real Redis and NATS servers on free loopback ports. Plain JavaScript, so that tests and benchmarks can both use it.
import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { freePort } from "./free-port.js"
import { find } from "./needs.js"

/**
 * A server program that can be killed and started again on the same port.
 *
 * @typedef {object} Engine
 * @property {number} port
 * @property {string} url for `redis()` or `nats()`
 * @property {() => Promise<void>} start resolves once it accepts connections
 * @property {() => Promise<void>} kill kills it without a shutdown; resolves once it has exited
 * @property {(signal: "SIGSTOP" | "SIGCONT" | "SIGHUP") => void} signal suspends it, as a network partition would, or
 * continues it; a NATS server reads its configuration again at SIGHUP
 */

/**
 * Returns a redis-server that stores nothing on disk; it is not started yet.
 *
 * @param {readonly string[]} more command-line arguments
 * @returns {Promise<Engine>}
 */
export function redisServer(more = []) {
  const options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...more]
  return engine("redis-server", "redis://", (port) => ["--port", `${port}`, ...options])
}

/**
 * Returns a sentinel that watches a primary under the name `main`. It is not started yet.
 *
 * @param {number} primary the port of the primary
 * @param {string} folder where it writes its configuration
 * @param {number} downAfterMs after which time a primary that does not answer is replaced
 * @returns {Promise<Engine>}
 */
export function redisSentinel(primary, folder, downAfterMs) {
  return engine("redis-server", "redis://", (port) => {
    const file = join(folder, `sentinel-${port}.conf`)
    const lines = [
      `port ${port}`,
      "bind 127.0.0.1",
      `sentinel monitor main 127.0.0.1 ${primary} 2`,
      `sentinel down-after-milliseconds main ${downAfterMs}`,
      "sentinel failover-timeout main 5000",
    ]
    writeFileSync(file, lines.join("\n"))
    return [file, "--sentinel"]
  })
}

/**
 * Returns a nats-server with its default settings, such as a `max_payload` of 1 MiB; it is not started yet.
 *
 * @param {readonly string[]} more command-line arguments
 * @returns {Promise<Engine>}
 */
export function natsServer(more = []) {
  return engine("nats-server", "nats://", (port) => ["--addr", "127.0.0.1", "--port", `${port}`, ...more])
}

/** The running servers: they are killed when this process exits. */
const running = new Set()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

async function engine(program, scheme, args) {
  const binary = find(program)
  if (binary === undefined) throw new Error(`expected ${program} to be installed, got none; run npm run needs`)
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
        started.once("exit", (code) =>
          reject(new Error(`${program} ended with ${code} before it accepted connections`)),
        )
        onceAnswering(port, () => started.exitCode === null, resolve)
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

/** Calls `then` once the port accepts a connection, as long as the server is alive. */
function onceAnswering(port, isAlive, then) {
  const socket = connect(port, "127.0.0.1", () => {
    socket.destroy()
    then()
  })
  socket.on("error", () => {
    if (isAlive()) setTimeout(() => onceAnswering(port, isAlive, then), 10)
  })
}
