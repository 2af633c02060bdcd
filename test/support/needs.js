/**
 * Finds the programs that the tests run beside Node. As root on Debian it installs those that are missing.
 *
 * Run by itself, it names each program that is still missing with the command that installs it, and exits with 1.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { pathToFileURL } from "node:url"

/**
 * Each program with the names that systems give to its executable, the environment variable that overrides the search, and
 * its Debian package.
 */
const PROGRAMS = {
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    env: "CHROMIUM",
    package: "chromium",
  },
  "redis-server": { names: ["redis-server"], env: "REDIS_SERVER", package: "redis-server" },
  "nats-server": { names: ["nats-server"], env: "NATS_SERVER", package: "nats-server" },
}
const NAMES = /** @type {(keyof typeof PROGRAMS)[]} */ (Object.keys(PROGRAMS))

/**
 * Returns the path of a program, or `undefined`. The environment variables CHROMIUM, REDIS_SERVER and NATS_SERVER take precedence
 * over the search in PATH.
 *
 * @param {keyof typeof PROGRAMS} program
 * @returns {string | undefined}
 */
export function find(program) {
  const { names, env } = PROGRAMS[program]
  if (process.env[env]) return process.env[env]
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/sbin", "/usr/local/bin"]
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable)
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Installs programs from Debian's packages, if this process is root and has `apt-get`. A failure is not reported here: `main`
 * names what is still missing.
 *
 * @param {(keyof typeof PROGRAMS)[]} programs
 */
function install(programs) {
  const mayInstall = process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0
  if (!mayInstall) return
  const packages = programs.map((program) => PROGRAMS[program].package)
  console.log(`installing ${packages.join(", ")} from Debian's packages`)
  // RUNLEVEL=1 keeps Debian from starting the servers that it installs: the tests start their own, on free ports.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  const aptGet = (/** @type {string[]} */ ...args) =>
    execFileSync("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"] })
  try {
    aptGet("update", "-qq")
    aptGet("install", "-y", "-qq", "--no-install-recommends", ...packages)
  } catch {}
}

const missing = () => NAMES.filter((program) => find(program) === undefined)

function main() {
  if (missing().length > 0) install(missing())
  for (const program of missing()) {
    const { package: name, env } = PROGRAMS[program]
    console.error(
      `expected to find ${program}, but it is not in PATH: install it (on Debian: apt-get install ${name}), or set ${env} to its path`,
    )
  }
  process.exitCode = missing().length > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main()
