/**
 * `npm run simulate:services -- --seeds 50000 [--first N] [--workers N] [--only calls]`: runs the seeded simulations of services,
 * on all cores: calls, placement, and placement while no node dies (`living`).
 *
 * A seed is one run of each. How large it is follows from the seed: test/services/seeded-shape.ts. Most have two to four nodes,
 * and end when all is quiet; one in 64 is large, and waits for as long as healing may take.
 *
 * Prints each failure with the command that repeats it, how far it has come each 30 s, and at the end what happened in the runs and
 * the seeds per second. Exits with code 1 if there are failures.
 */
import { mkdirSync, rmSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"

const root = join(import.meta.dirname, "../..")
const REPORT_MS = 30_000
/** The heap of short-lived objects of a worker. With the 16 MB that Node takes, the collector needs a tenth of the time. */
const YOUNG_MB = 96

/** Simulation → what runs a seed, of the built scenarios. */
const simulations = {
  calls: ({ seededCalls }, seed) => seededCalls(seed),
  placement: ({ seededPlacement }, seed) => seededPlacement(seed),
  living: ({ seededPlacement }, seed) => seededPlacement(seed, { isLiving: true }),
}

async function work({ folder, names, first, seeds, step }) {
  const scenarios = {
    ...(await import(pathToFileURL(join(folder, "calls.mjs")).href)),
    ...(await import(pathToFileURL(join(folder, "placement.mjs")).href)),
  }
  // To write the stack of each error of a call takes 6 % of the time. One seed alone has them.
  if (seeds > 1) Error.stackTraceLimit = 0
  for (let seed = first; seed < first + seeds; seed += step) {
    // A run takes turns of promises only. Without one of the event loop, no import ends, and none of the former runs is freed.
    await new Promise(setImmediate)
    for (const name of names) {
      const failed = (error) => ({ mistakes: [String(error?.stack ?? error)], seen: new Map() })
      const { mistakes, seen } = await simulations[name](scenarios, seed).catch(failed)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port is not a window
      parentPort?.postMessage({ seed, name, mistakes, seen, isLast: name === names.at(-1) })
    }
  }
}

/** Builds the scenarios from the sources, since Node 20 does not run TypeScript. Returns their folder. */
async function built() {
  const { build } = await import("vite")
  // It lies in the repository, so that the packages are found.
  const folder = join(root, `node_modules/.cache/rollcall-simulate-services-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const input = {
    calls: join(root, "test/services/seeded-calls.ts"),
    placement: join(root, "test/services/seeded-placement.ts"),
  }
  await build({
    configFile: false,
    root,
    logLevel: "warn",
    build: { ssr: true, outDir: folder, rollupOptions: { input, output: { entryFileNames: "[name].mjs" } } },
  })
  return folder
}

async function main() {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      first: { type: "string", default: "1" },
      workers: { type: "string", default: String(availableParallelism()) },
      only: { type: "string" },
    },
  })
  const [seeds, first, workers] = [values.seeds, values.first, values.workers].map(Number)
  const names = Object.keys(simulations).filter((name) => values.only === undefined || values.only === name)
  if (!(seeds > 0) || !Number.isSafeInteger(first) || !(workers > 0) || names.length === 0) {
    const usage = `[--seeds N] [--first N] [--workers N] [--only ${Object.keys(simulations).join("|")}]`
    throw new Error(`usage: simulate-services.js ${usage}`)
  }
  const folder = await built()
  const step = Math.min(seeds, workers)
  const started = performance.now()
  let [done, failed] = [0, 0]
  /** Worker → the first seed that it has not run yet. */
  const next = Array.from({ length: step }, (_, n) => first + n)
  /** Simulation → how often each thing happened. */
  const happened = new Map(names.map((name) => [name, new Map()]))

  function onResult({ seed, name, mistakes, seen, isLast }) {
    const events = happened.get(name)
    for (const [what, count] of seen) events?.set(what, (events.get(what) ?? 0) + count)
    if (mistakes.length > 0) {
      failed += 1
      console.log(
        `seed ${seed} of ${name} failed; to repeat: npm run simulate:services -- --only ${name} --seeds 1 --first ${seed}`,
      )
      for (const mistake of mistakes.slice(0, 5)) console.log(`  ${mistake}`)
    }
    if (!isLast) return
    done += 1
    next[(seed - first) % step] = seed + step
  }
  const perSecond = () => (done / ((performance.now() - started) / 1_000)).toFixed(1)
  const reporting = setInterval(() => {
    console.log(
      `all seeds below ${Math.min(...next)} are done; ${perSecond()} seeds per second, ${failed} failures so far`,
    )
  }, REPORT_MS)
  const exits = Array.from({ length: step }, (_, n) => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { folder, names, first: first + n, seeds: seeds - n, step },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    })
    return new Promise((resolve) => worker.on("message", onResult).once("exit", resolve))
  })
  await Promise.all(exits)
  clearInterval(reporting)
  rmSync(folder, { recursive: true })
  // A worker that ended early has thrown.
  failed += seeds - done
  for (const [name, events] of happened) {
    const [runs, calls, seconds] = ["runs", "calls", "virtual s"].map((what) => events.get(what) ?? 0)
    const perRun = (count) => (count / runs).toFixed(1)
    console.log(`${name}: ${runs} runs, each of ${perRun(calls)} calls in ${perRun(seconds)} s of virtual time`)
    for (const what of ["runs", "calls", "virtual s"]) events.delete(what)
    const sorted = [...events].toSorted(([, one], [, other]) => other - one)
    console.log(`${name}: ${sorted.map(([what, count]) => `${what} ${count}`).join(", ")}`)
  }
  const { user, system } = process.cpuUsage()
  console.log(`${perSecond()} seeds per second, ${((user + system) / 1_000 / done).toFixed(0)} ms of CPU each`)
  console.log(`${seeds} seeds, ${failed} failures`)
  process.exitCode = failed > 0 ? 1 : 0
}

if (isMainThread) await main()
else await work(workerData)
