/**
 * The published types under several versions of TypeScript: builds, packs and installs the package as npm does, then prints one line for
 * each version, and the compiler's report of each project that does not compile.
 *
 * `npm run matrix:types` checks the versions below, `npm run matrix:types -- 5.9 7.0` the named ones.
 */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { ENTRIES, manifest } from "./consumer.js"
import { compileReport, typeCases } from "./type-cases.js"

const VERSIONS = ["5.6", "5.7", "5.8", "5.9", "6.0", "7.0"]
/** The types beside the package: each optional peer, and `@types/node` of the oldest and of the latest supported Node. */
const NODE_TYPES = ["20", "latest"]

const interrupted = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupted.abort())
const run = (program, args, options = {}) =>
  promisify(execFile)(program, args, { ...options, signal: interrupted.signal })
const named = process.argv.slice(2)
const versions = named.length > 0 ? named : VERSIONS
const folder = await mkdtemp(join(tmpdir(), "rollcall-types-"))
const install = (...packages) =>
  run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], { cwd: folder })

try {
  await run("npm", ["run", "--silent", "build"])
  await run("npm", ["pack", "--silent", "--pack-destination", folder])
  await writeFile(join(folder, "package.json"), "{}")
  const peers = Object.entries(manifest.peerDependencies).map(([name, range]) => `${name}@${range}`)
  await install(`./rollcall-${manifest.version}.tgz`, ...peers, "@types/react")
  for (const nodeTypes of NODE_TYPES) {
    for (const version of versions) {
      await install(`typescript@${version}`, `@types/node@${nodeTypes}`)
      await check(nodeTypes)
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** Compiles all projects with the installed versions of TypeScript and `@types/node`. */
async function check(/** @type {string} */ nodeTypes) {
  const typescript = join(folder, "node_modules/typescript")
  const { version } = JSON.parse(await readFile(join(typescript, "package.json"), "utf8"))
  const failures = []
  const cases = typeCases(version, ENTRIES)
  for (const project of cases) {
    interrupted.signal.throwIfAborted()
    const report = await compileReport(folder, typescript, project)
    if (report !== "") failures.push(`  ${project.name}:\n${report.trim()}`)
  }
  console.log(
    `typescript ${version}, @types/node ${nodeTypes}: ${cases.length - failures.length} passed, ${failures.length} failed`,
  )
  for (const failure of failures) console.log(failure)
  if (failures.length > 0) process.exitCode = 1
}
