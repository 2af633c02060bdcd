/**
 * `npm run simulate -- --seeds 100000 [--from N] [--nodes N] [--worse]`: runs the scenario for many seeds, on all cores, from
 * `dist`. With `--worse` messages also get lost in one direction, arrive altered, and clocks jump. A cluster has two to five nodes, or
 * as many as `--nodes` says.
 *
 * Prints each failure with the command that replays it, then the seeds per second, and at the end `N seeds, N failures`.
 * Exits with code 1 if there are failures.
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { mulberry32, SeededNetwork } from "rollcall/testing"
import { createTracker } from "rollcall/tracker"
import { runScenario } from "./scenario.js"

const thrown = (error) => ({ log: [], failures: [String(error?.stack ?? error)] })
const parts = { createTracker, SeededNetwork, mulberry32 }

async function work({ from, seeds, step, isWorse, nodes }) {
  for (let seed = from; seed < from + seeds; seed += step) {
    const day = runScenario(seed, /** @type {any} */ (parts), undefined, { isWorse, nodes })
    const { log, failures } = await day.catch(thrown)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port is not a window
    parentPort?.postMessage(failures.length > 0 ? { seed, log, failures } : { seed })
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      nodes: { type: "string", default: "0" },
      worse: { type: "boolean", default: false },
    },
  })
  const [seeds, from, nodes] = [Number(values.seeds), Number(values.from), Number(values.nodes)]
  if (!(seeds > 0) || !Number.isSafeInteger(from) || !(nodes >= 0))
    throw new Error("usage: simulate.js [--seeds N] [--from N] [--nodes N] [--worse]")
  const isWorse = values.worse
  const flags = `${isWorse ? "--worse " : ""}${nodes > 0 ? `--nodes ${nodes} ` : ""}`
  const step = Math.min(seeds, availableParallelism())
  const started = performance.now()
  let done = 0
  let failed = 0
  const onResult = ({ seed, log, failures }) => {
    done += 1
    if (failures !== undefined) {
      failed += 1
      console.log(`seed ${seed} failed; npm run simulate -- ${flags}--seeds 1 --from ${seed} prints its log`)
      if (seeds === 1) for (const line of log) console.log(`  ${line}`)
      for (const failure of failures.slice(0, 5)) console.log(`  ${failure}`)
    }
    if (done % 10_000 === 0) console.log(`${done} seeds, ${failed} failures so far`)
  }
  const workers = Array.from({ length: step }, (_, i) => {
    const workerData = { from: from + i, seeds: seeds - i, step, isWorse, nodes }
    return new Worker(new URL(import.meta.url), { workerData }).on("message", onResult)
  })
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve))))
  failed += seeds - done
  const seconds = (performance.now() - started) / 1000
  console.log(`${Math.round(done / seconds)} seeds per second`)
  console.log(`${seeds} seeds, ${failed} failures`)
  process.exitCode = failed > 0 ? 1 : 0
}

if (isMainThread) await main()
else await work(workerData)
