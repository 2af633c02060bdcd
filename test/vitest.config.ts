import { availableParallelism } from "node:os"
import { join } from "node:path"
import { defineConfig } from "vitest/config"

/** Where the report for test/check.js goes. The variable TEST_REPORT names another file. */
const report = process.env["TEST_REPORT"] ?? "../node_modules/.cache/rollcall-tests.json"

/** The module that tests get as fast-check. It gets the package itself. */
const fixedCases = join(import.meta.dirname, "support/fixed-cases.js")

export default defineConfig({
  plugins: [
    {
      name: "fixed-cases",
      enforce: "pre",
      resolveId: (id, importer) => (id === "fast-check" && importer !== fixedCases ? fixedCases : undefined),
    },
  ],
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    // Last resorts, and generous, because tests wait for events: on a busy machine an event comes late, but it comes.
    testTimeout: 240_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
    hookTimeout: 240_000,
    // Many tests wait for real servers and leave the processor idle. By default one file would run at a time on two cores.
    maxWorkers: Math.max(3, availableParallelism()),
    reporters: ["dot", ["json", { outputFile: report }]],
  },
})
