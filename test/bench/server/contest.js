import { Child } from "./child.js"

/** The servers that are compared. Each name is a key of `protocols` and a file of `servers`. */
export const SERVERS = ["rollcall", "ws", "socket.io"]

/** A server process and its load generator. Each scenario starts new ones, so that it has no garbage of an earlier scenario. */
export class Side {
  name
  #server
  #generator

  static async start(name, options = {}) {
    const side = new Side()
    side.name = name
    const execArgv = ["--expose-gc", ...profiling(name)]
    side.#server = await Child.start(`./servers/${name}.js`, options, { execArgv })
    side.#generator = await Child.start("./generator.js")
    return side
  }

  /** Runs a job in the generator. Resolves to its result and its cost: the CPU seconds of both processes. */
  async run(job, options = {}) {
    const before = await this.#stats()
    const started = performance.now()
    const result = await this.#generator.run(job, { protocol: this.name, port: this.#server.ready.port, ...options })
    const seconds = (performance.now() - started) / 1000
    const after = await this.#stats()
    if (after.errors > 0) throw new Error(`${this.name}, ${job}: ${after.errors} errors in the server`)
    const server = after.server - before.server
    const generator = after.generator - before.generator
    return { ...result, cost: { seconds, server, generator, perCpuSecond: (result.messages ?? NaN) / server } }
  }

  /** Runs a job in the server, and resolves to its result. */
  serve(job, options = {}) {
    return this.#server.run(job, options)
  }

  /** Resolves to the memory of the server, in bytes. */
  memory() {
    return this.#server.run("memory")
  }

  async stop() {
    await Promise.all([this.#server.stop(), this.#generator.stop()])
  }

  async #stats() {
    const [server, generator] = await Promise.all([this.#server.run("stats"), this.#generator.run("stats")])
    return { server: server.cpuSeconds, generator: generator.cpuSeconds, errors: server.errors }
  }
}

/** Clients that only receive send no heartbeats here, unlike real ones. So the idle timeout exceeds every scenario. */
const NO_IDLE_TIMEOUT = { idleTimeoutMs: 3_600_000 }

/** Starts the sides, calls `run` with them, and always stops them. @param options for the Rollcall server */
export async function withSides(names, options, run) {
  const sides = []
  try {
    for (const name of names)
      sides.push(await Side.start(name, name === "rollcall" ? { ...NO_IDLE_TIMEOUT, ...options } : {}))
    return await run(sides)
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** Runs each side alternately, several times, so that a disturbance affects all of them. Returns the results by name. */
export async function interleaved(sides, rounds, run) {
  const results = Object.fromEntries(sides.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const side of sides) results[side.name].push(await run(side))
  }
  return results
}

/** Returns the median round by one of its figures. */
export function medianRound(rounds, figure) {
  return rounds.toSorted((a, b) => figure(a) - figure(b))[rounds.length >> 1]
}

/** Returns the options for Node with which the Rollcall server writes CPU profiles, for `--profile folder`. */
function profiling(name) {
  const at = process.argv.indexOf("--profile")
  return at < 0 || name !== "rollcall" ? [] : ["--cpu-prof", "--cpu-prof-dir", process.argv[at + 1]]
}
