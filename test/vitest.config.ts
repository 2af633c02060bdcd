import { defineConfig } from "vitest/config"

/** Where the report for test/check.js goes. The variable TEST_REPORT names another file. */
const report = process.env["TEST_REPORT"] ?? "../node_modules/.cache/rollcall-tests.json"

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    testTimeout: 30_000,
    // Generous, because tests wait for events: on a busy machine an event comes late, but it comes.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    hookTimeout: 60_000,
    reporters: ["dot", ["json", { outputFile: report }]],
  },
})
