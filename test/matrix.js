/**
 * The tests under several versions of Node: builds once, then prints one line for each version.
 *
 * `node test/matrix.js` runs the versions below, `node test/matrix.js 22 26` the named ones. `--quick` runs the share of the tests that
 * depends most on the version. Each version is npm's package `node`, installed into a temporary folder that is removed afterwards.
 */
import { spawn } from "node:child_process"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { parseArgs } from "node:util"

// The lowest versions that `engines` allows, and the latest ones.
const VERSIONS = ["20.19.0", "22.12.0", "20", "22", "24", "26"]
const QUICK = ["pubsub/", "server/transports/", "server/lifecycle/", "wire/", "client/"]
const INSTALL_TIMEOUT_MS = 5 * 60_000
const TESTS_TIMEOUT_MS = 20 * 60_000
const SHOWN_FAILURES = 10

const { values: options, positionals } = parseArgs({ options: { quick: { type: "boolean" } }, allowPositionals: true })
const versions = positionals.length > 0 ? positionals : VERSIONS
const filters = options.quick ? QUICK : []
const interrupted = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.abort())

/**
 * Runs a program without its output. At the timeout, or when the matrix is interrupted, its whole process group is killed.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ timeoutMs: number, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<string | undefined>} what went wrong, or `undefined`
 */
function run(program, args, { timeoutMs, env = process.env }) {
  if (interrupted.signal.aborted) return Promise.resolve("was interrupted")
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, detached: true, stdio: ["ignore", "ignore", "pipe"] })
    let stopped = ""
    let errors = ""
    const stop = (/** @type {string} */ reason) => {
      stopped = reason
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
    }
    const onInterrupt = () => stop("was interrupted")
    const timer = setTimeout(() => stop(`ran longer than ${timeoutMs / 60_000} min`), timeoutMs)
    interrupted.signal.addEventListener("abort", onInterrupt)
    child.stderr.on("data", (/** @type {Buffer} */ bytes) => (errors = (errors + String(bytes)).slice(-2000)))
    const end = (/** @type {string | undefined} */ problem) => {
      clearTimeout(timer)
      interrupted.signal.removeEventListener("abort", onInterrupt)
      resolve(stopped || problem)
    }
    child.once("error", (error) => end(error.message))
    child.once("close", (code) => end(code === 0 ? undefined : `ended with code ${code}: ${errors.trim()}`))
  })
}

/**
 * Runs the tests under one version of Node.
 *
 * @param {string} version a version or range of npm's package `node`: `22`, `22.11.0`
 * @returns {Promise<boolean>} whether all tests passed
 */
async function check(version) {
  const folder = await mkdtemp(join(tmpdir(), "rollcall-matrix-"))
  try {
    const install = ["install", "--prefix", folder, "--no-audit", "--no-fund", `node@${version}`]
    const problem = await run("npm", install, { timeoutMs: INSTALL_TIMEOUT_MS })
    if (problem !== undefined) return fail(version, `the installation ${problem}`)

    const bin = join(folder, "node_modules/node/bin")
    const manifest = await readFile(join(folder, "node_modules/node/package.json"), "utf8")
    const report = join(folder, "report.json")
    const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", "test/vitest.config.ts"]
    // A program that a test starts by the name `node` gets the same version.
    const path = `${bin}${delimiter}${process.env["PATH"]}`
    const started = performance.now()
    const testsProblem = await run(join(bin, "node"), [...vitest, ...filters], {
      timeoutMs: TESTS_TIMEOUT_MS,
      env: { ...process.env, PATH: path, TEST_REPORT: report },
    })
    const seconds = ((performance.now() - started) / 1000).toFixed(0)
    const results = await readFile(report, "utf8").then(JSON.parse, () => undefined)
    if (results === undefined) return fail(version, `the test run ${testsProblem ?? "wrote no report"}`)

    const { numPassedTests: passed, numFailedTests: failed } = results
    console.log(`node ${JSON.parse(manifest).version}: ${passed} passed, ${failed} failed, ${seconds} s`)
    for (const failure of failuresOf(results).slice(0, SHOWN_FAILURES)) console.log(`  failed: ${failure}`)
    // A file that does not load fails the run without a failed test.
    if (failed === 0 && testsProblem !== undefined) return fail(version, `the test run ${testsProblem}`)
    return failed === 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * @typedef {{ status: string, fullName: string }} TestResult
 * @typedef {{ name: string, message: string, status: string, assertionResults: TestResult[] }} FileResult
 */

/**
 * Returns the names of the failed tests, and the files that could not be loaded.
 *
 * @param {{ testResults: FileResult[] }} results
 */
function failuresOf({ testResults }) {
  return testResults.flatMap(({ name, message, status, assertionResults }) => {
    const failed = assertionResults.filter((result) => result.status === "failed").map(({ fullName }) => fullName)
    return failed.length === 0 && status === "failed" ? [`${name}: ${message}`] : failed
  })
}

function fail(/** @type {string} */ version, /** @type {string} */ problem) {
  console.log(`node ${version}: ${problem}`)
  return false
}

const buildProblem = await run("npm", ["run", "--silent", "build"], { timeoutMs: INSTALL_TIMEOUT_MS })
if (buildProblem !== undefined) {
  console.log(`the build ${buildProblem}`)
  process.exitCode = 1
} else {
  for (const version of versions) if (!(await check(version))) process.exitCode = 1
}
