import { defineConfig } from "vitest/config"

/** Where the report for test/check.js goes. The variable TEST_REPORT names another file. */
const report = process.env["TEST_REPORT"] ?? "../node_modules/.cache/rollcall-tests.json"

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    // Last resorts, and generous, because tests wait for events: on a busy machine an event comes late, but it comes.
    testTimeout: 120_000,
    expect: { poll: { timeout: 60_000, interval: 20 } },
    hookTimeout: 120_000,
    reporters: ["dot", ["json", { outputFile: report }]],
  },
})
