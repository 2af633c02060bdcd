/**
 * The whole check: every gate, one after the other, and a last line that adds them up.
 *
 * A gate is one of the package's scripts. Each counts as one check; the test runner's own count is added.
 * `node test/check.js lint types` runs only the named ones.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"

const GATES = [
  "needs",
  "format",
  "lint",
  "build",
  "types",
  "test:run",
  "simulate:short",
  "fuzz:short",
  "soak:short",
  "package",
  "unused",
  "size",
]
const REPORT = "node_modules/.cache/rollcall-tests.json"

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"))
const named = process.argv.slice(2)
const gates = (named.length > 0 ? named : GATES).filter((gate) => scripts[gate] !== undefined)
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
  // Nothing that follows says anything about a package that does not build.
  if (status !== 0 && gate === "build") break
}

if (existsSync(REPORT)) {
  const report = JSON.parse(readFileSync(REPORT, "utf8"))
  passed += report.numPassedTests
  failed += report.numFailedTests
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
