// Runs the seeded simulations of services over many seeds: `npm run simulate:services -- --seeds 50000 --first 1`.
import { spawn } from "node:child_process"
import { parseArgs } from "node:util"

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "1000" }, first: { type: "string", default: "1" } },
})
const tests = ["test/services/seeded-calls", "test/services/seeded-placement"]
const run = [
  "node_modules/vitest/vitest.mjs",
  "run",
  "--config",
  "test/vitest.config.ts",
  "--testTimeout",
  "86400000",
  ...tests,
]
const env = { ...process.env, SEEDS: values.seeds, FIRST_SEED: values.first }
spawn(process.execPath, run, { stdio: "inherit", env }).on("exit", (code) => (process.exitCode = code ?? 1))
