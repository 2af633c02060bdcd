/** A copy of an example in a temporary folder, which has installed the packed tarball, and the programs that run in it. */
import { execFile, spawn } from "node:child_process"
import { cp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"

const NODE_ENV = undefined
const ENV = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1", FORCE_COLOR: undefined, NODE_ENV }
// A machine that does much else takes ten times as long as an idle one.
const INSTALL_TIMEOUT_MS = 20 * 60_000
const PROGRAM_TIMEOUT_MS = 15 * 60_000
const KILL_AFTER_MS = 10_000

/**
 * Runs a program to its end, and returns what it prints.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, timeout?: number }} options
 * @returns {Promise<string>}
 * @throws Error with its output, if it ends with another code than 0
 */
export async function run(program, args, options = {}) {
  const settings = { maxBuffer: 1e8, env: ENV, timeout: PROGRAM_TIMEOUT_MS, ...options }
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, settings)
    return stdout + stderr
  } catch (error) {
    const { stdout, stderr, message } = /** @type {Error & { stdout: string, stderr: string }} */ (error)
    throw new Error(`${program} ${args.join(" ")} failed: ${`${stdout}\n${stderr}`.trim() || message}`, {
      cause: error,
    })
  }
}

/**
 * Copies a folder and installs its packages, with the tarball in place of the published rollcall.
 *
 * @param {{ from: string, to: string, tarball: string, undo: (() => unknown)[] }} options
 */
export async function makeProject({ from, to, tarball, undo }) {
  undo.push(() => rm(to, { recursive: true, force: true, maxRetries: 5 }))
  // A developer may have run the example in its own folder.
  const isSource = (/** @type {string} */ path) => !/\/(node_modules|dist|\.next|package-lock\.json)(\/|$)/.test(path)
  await cp(from, to, { recursive: true, filter: (path) => isSource(path.slice(from.length)) })
  const file = join(to, "package.json")
  const manifest = JSON.parse(await readFile(file, "utf8"))
  manifest.dependencies.rollcall = `file:${tarball}`
  await writeFile(file, JSON.stringify(manifest))
  await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: to, timeout: INSTALL_TIMEOUT_MS })
  return {
    folder: to,
    /** Runs a script of the package to its end. */
    script: (/** @type {string} */ name, ...args) => run("npm", ["run", "--silent", name, "--", ...args], { cwd: to }),
    /** Runs a program of the project to its end. */
    node: (/** @type {string} */ file, ...args) => run(process.execPath, [file, ...args], { cwd: to }),
    /** Starts a program that goes on until it is ended. */
    start: (/** @type {string} */ program, /** @type {string[]} */ args, env = {}) =>
      start({ program, args, cwd: to, env, undo }),
    /** Starts a server, and resolves to the URL that it prints. */
    async serve(/** @type {string} */ program, /** @type {string[]} */ args, env = {}) {
      const [url] = await start({ program, args, cwd: to, env, undo }).printed(/http:\/\/[\w.]+:\d+/)
      return url
    },
    write: (/** @type {string} */ name, /** @type {string} */ text) => writeFile(join(to, name), text),
  }
}

/** @typedef {Awaited<ReturnType<typeof makeProject>>} Project */

/** @param {{ program: string, args: string[], cwd: string, env: object, undo: (() => unknown)[] }} options */
function start({ program, args, cwd, env, undo }) {
  // A group of its own, so that all that it starts can be ended with it.
  const child = spawn(program, args, {
    cwd,
    env: { ...ENV, ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  })
  const exited = new Promise((resolve) => child.once("exit", resolve))
  const signal = (/** @type {NodeJS.Signals} */ name) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {} // All of them have ended.
  }
  let text = ""
  let onText = () => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      text += data
      onText()
    })
  }
  const failed = new Promise((_resolve, reject) => {
    const fail = (/** @type {unknown} */ why) =>
      reject(new Error(`${program} ${args.join(" ")} ended: ${why}\n${text}`))
    child.once("error", fail)
    child.once("exit", (code) => fail(`code ${code}`))
  })
  failed.catch(() => {})
  undo.push(async () => {
    if (child.pid === undefined) return
    signal("SIGTERM")
    const killed = setTimeout(() => signal("SIGKILL"), KILL_AFTER_MS)
    await exited
    clearTimeout(killed)
    signal("SIGKILL") // What is left of the group.
  })
  return {
    /**
     * Resolves once the output matches, and rejects if the program ends before. One at a time.
     *
     * @returns {Promise<RegExpExecArray>}
     */
    printed: (/** @type {RegExp} */ wanted) =>
      Promise.race([
        failed,
        new Promise((resolve) => {
          onText = () => {
            const match = wanted.exec(text)
            if (match) resolve(match)
          }
          onText()
        }),
      ]),
    /** Interrupts it, as Ctrl+C does, and resolves to its exit code. */
    interrupt() {
      child.kill("SIGINT")
      return exited
    },
  }
}
