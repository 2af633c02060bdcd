import { Child } from "./child.js"

/** The servers that are compared, by the name of their dialect. */
export const SERVERS = ["rollcall", "ws", "socket.io"]

/** A server and the load process that belongs to it. Fresh for each scenario, so that none has another's garbage. */
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

  /** Has the generator do a job, and resolves with its result and what it cost: CPU seconds of both processes. */
  async run(job, options = {}) {
    const before = await this.#stats()
    const started = performance.now()
    const result = await this.#generator.ask(job, { dialect: this.name, port: this.#server.ready.port, ...options })
    const seconds = (performance.now() - started) / 1000
    const after = await this.#stats()
    if (after.errors > 0) throw new Error(`${this.name}, ${job}: ${after.errors} errors in the server`)
    const server = after.server - before.server
    const generator = after.generator - before.generator
    return { ...result, cost: { seconds, server, generator, perCpuSecond: (result.messages ?? NaN) / server } }
  }

  /** The server's memory, in bytes. */
  memory() {
    return this.#server.ask("memory")
  }

  async stop() {
    await Promise.all([this.#server.stop(), this.#generator.stop()])
  }

  async #stats() {
    const [server, generator] = await Promise.all([this.#server.ask("stats"), this.#generator.ask("stats")])
    return { server: server.cpuSeconds, generator: generator.cpuSeconds, errors: server.errors }
  }
}

/** Who only listens is silent here, without the heartbeats of a real client, for as long as a scenario takes. */
const PATIENT = { idleTimeoutMs: 3_600_000 }

/** Runs with all sides up, and ends them whatever happens. @param options of our server */
export async function withSides(names, options, run) {
  const sides = []
  try {
    for (const name of names) sides.push(await Side.start(name, name === "rollcall" ? { ...PATIENT, ...options } : {}))
    return await run(sides)
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
}

/** Each side in turn, several times, so that what disturbs one disturbs the others: medians by name. */
export async function inTurns(sides, rounds, run) {
  const results = Object.fromEntries(sides.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const side of sides) results[side.name].push(await run(side))
  }
  return results
}

/** The round in the middle, by a figure of it. */
export function middle(rounds, figure) {
  return rounds.toSorted((a, b) => figure(a) - figure(b))[rounds.length >> 1]
}

/** `--profile folder` has our server write a CPU profile for each scenario. */
function profiling(name) {
  const at = process.argv.indexOf("--profile")
  return at < 0 || name !== "rollcall" ? [] : ["--cpu-prof", "--cpu-prof-dir", process.argv[at + 1]]
}
