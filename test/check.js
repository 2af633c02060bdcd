/**
 * Runs every gate, one after the other, and prints the sum of what passed and failed on the last line.
 *
 * A gate is one of the package's scripts and counts as one check. The tests that the test runner counted are added.
 * `node test/check.js lint types` runs only the named gates.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"

const GATES = [
  "needs",
  "format",
  "build",
  "lint",
  "types",
  "test:run",
  "simulate:short",
  "fuzz:short",
  "chaos:short",
  "soak:short",
  "package",
  "unused",
  "size",
]
/** The test runner's report, which test/vitest.config.ts asks for. */
const REPORT = "node_modules/.cache/rollcall-tests.json"

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"))
const named = process.argv.slice(2)
const gates = named.length > 0 ? named : GATES
const unknown = gates.filter((gate) => scripts[gate] === undefined)
if (unknown.length > 0) throw new Error(`expected scripts of package.json, got ${unknown.join(", ")}`)
let passed = 0
let failed = 0

rmSync(REPORT, { force: true })
for (const gate of gates) {
  const started = performance.now()
  console.log(`\n── ${gate}`)
  const { status } = spawnSync("npm", ["run", "--silent", gate], { stdio: "inherit" })
  console.log(`   ${status === 0 ? "passed" : "FAILED"} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  if (status === 0) passed += 1
  else failed += 1
  // The gates after the build check its output. Without that output, they would only repeat the failure.
  if (status !== 0 && gate === "build") break
}

if (existsSync(REPORT)) {
  const report = JSON.parse(readFileSync(REPORT, "utf8"))
  passed += report.numPassedTests
  failed += report.numFailedTests
  for (const { fullName, status, failureMessages } of report.testResults.flatMap((file) => file.assertionResults))
    if (status === "passed" && failureMessages.length > 0)
      console.log(`\npassed only at the second try: ${fullName}\n${failureMessages.join("\n")}`)
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
