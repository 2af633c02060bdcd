/**
 * The programs that the tests run beside Node: finds each, or installs it from Debian's packages when it may.
 *
 * Prints what is there; says plainly what is missing, and how to get it, otherwise.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"
import { pathToFileURL } from "node:url"

/** Program → where to look, by the names that systems give it, and Debian's package of it. */
const PROGRAMS = {
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    env: "CHROMIUM",
    package: "chromium",
  },
  "redis-server": { names: ["redis-server"], env: "REDIS_SERVER", package: "redis-server" },
  "nats-server": { names: ["nats-server"], env: "NATS_SERVER", package: "nats-server" },
}

/**
 * The path of a program, or `undefined`. An environment variable (CHROMIUM, REDIS_SERVER, NATS_SERVER) wins.
 *
 * @param {"chromium" | "redis-server" | "nats-server"} program
 * @returns {string | undefined}
 */
export function find(program) {
  const { names, env } = PROGRAMS[program]
  if (process.env[env]) return process.env[env]
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/bin", "/usr/sbin", "/usr/local/bin"]
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable)
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Installs what is missing, when that can be done without asking anybody. */
function install(programs) {
  const mayInstall = process.getuid?.() === 0 && spawnSync("apt-get", ["--version"]).status === 0
  if (!mayInstall) return
  const packages = programs.map((program) => PROGRAMS[program].package)
  console.log(`installing ${packages.join(", ")} from Debian's packages`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  // Debian starts a server when it installs one; the tests start their own, on ports of their own.
  const quiet = { env: { ...env, RUNLEVEL: "1" }, stdio: ["ignore", "ignore", "inherit"] }
  try {
    execFileSync("apt-get", ["update", "-qq"], quiet)
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], quiet)
  } catch {
    // What is still missing is said below, with how to get it.
  }
}

const missing = () => Object.keys(PROGRAMS).filter((program) => find(program) === undefined)

function main() {
  if (missing().length > 0) install(missing())
  for (const program of missing()) {
    const { package: name, env } = PROGRAMS[program]
    console.error(`missing: ${program}. Install it (on Debian: apt-get install ${name}), or set ${env} to its path.`)
  }
  process.exitCode = missing().length > 0 ? 1 : 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) main()
