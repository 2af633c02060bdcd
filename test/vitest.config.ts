import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    testTimeout: 30_000,
    // What is waited for comes, however busy the machine is.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    hookTimeout: 60_000,
    reporters: ["dot", ["json", { outputFile: "../node_modules/.cache/rollcall-tests.json" }]],
  },
})
