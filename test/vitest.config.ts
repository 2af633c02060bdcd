import { availableParallelism } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"

/** Where the report for test/check.js goes. The variable TEST_REPORT names another file. */
const report = process.env["TEST_REPORT"] ?? "../node_modules/.cache/rollcall-tests.json"

export default defineConfig({
  // Property tests draw the same values in each run.
  resolve: {
    alias: [{ find: /^fast-check$/, replacement: join(import.meta.dirname, "support/seeded-fast-check.js") }],
  },
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    // Last resorts, and generous, because tests wait for events: on a busy machine an event comes late, but it comes.
    testTimeout: 240_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
    hookTimeout: 240_000,
    // One test of thousands that fails by chance does not hide what the others say. test/check.js names it, with its error.
    retry: 1,
    // Node gives the first address of a name such as localhost 250 ms, and then no second chance.
    execArgv: ["--network-family-autoselection-attempt-timeout=60000"],
    // Many tests wait for real servers and leave the processor idle. By default one file would run at a time on two cores.
    maxWorkers: Math.max(3, availableParallelism()),
    reporters: ["dot", ["json", { outputFile: report }]],
  },
})
