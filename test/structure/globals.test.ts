import { execFile } from "node:child_process"
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"

// Each folder of src is compiled with the globals of its side only. The breaches below are planted in a copy of src, which is compiled once.
const breaches: [folder: string, line: string, missing: string][] = [
  ["client", "export const environment: unknown = process.env", "process"],
  ["client", "export const bytes: unknown = Buffer.from([])", "Buffer"],
  ["client", `export { readFile } from "node:fs/promises"`, "node:fs/promises"],
  ["server", "export const title: unknown = document.title", "document"],
  ["server", "export const storage: unknown = localStorage", "localStorage"],
  ["pubsub", "export const title: unknown = document.title", "document"],
  ["tracker", "export const title: unknown = document.title", "document"],
  ["tracker", "export const environment: unknown = process.env", "process"],
  ["tracker", "export const timer: unknown = setTimeout(() => undefined, 1)", "setTimeout"],
  ["crdt", "export const timer: unknown = setTimeout(() => undefined, 1)", "setTimeout"],
  ["crdt", "export const now: unknown = performance.now()", "performance"],
  ["wire", "export const timer: unknown = setTimeout(() => undefined, 1)", "setTimeout"],
  ["wire", "export const title: unknown = document.title", "document"],
  ["services", "export const title: unknown = document.title", "document"],
  ["testing", "export const environment: unknown = process.env", "process"],
]
const allowed: [folder: string, line: string][] = [
  ["client", "export const title: unknown = document.title"],
  ["server", "export const environment: unknown = process.env"],
  ["pubsub", "export const bytes: unknown = Buffer.from([])"],
]

let copy: string
let report: string
const fileOf = (kind: string, index: number, folder: string) => `src/${folder}/${kind}-${index}.ts`

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "globals-"))
  await cp("src", join(copy, "src"), { recursive: true })
  await cp("tsconfig.json", join(copy, "tsconfig.json"))
  await cp("package.json", join(copy, "package.json"))
  await symlink(resolve("node_modules"), join(copy, "node_modules"))
  for (const [kind, lines] of Object.entries({ breach: breaches, allowed })) {
    for (const [index, [folder, line]] of lines.entries()) {
      await writeFile(join(copy, fileOf(kind, index, folder)), `${line}\n`)
    }
  }
  const compile = promisify(execFile)(resolve("node_modules/.bin/tsc"), ["-b", "--pretty", "false"], { cwd: copy })
  report = await compile.then(
    () => "",
    (failed: { stdout: string }) => failed.stdout,
  )
})
afterAll(() => rm(copy, { recursive: true }))

/** The compiler's errors in one file. */
const errorsIn = (file: string) => report.split("\n").filter((line) => line.startsWith(`${file}(`))

test.for(breaches.map((breach, index) => [...breach, index] as const))(
  "%s does not compile with: %s",
  ([folder, , missing, index]) => {
    const errors = errorsIn(fileOf("breach", index, folder))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(new RegExp(`Cannot find (name|module) '${missing}'`))
  },
)

test.for(allowed.map((line, index) => [...line, index] as const))("%s compiles with: %s", ([folder, , index]) => {
  expect(errorsIn(fileOf("allowed", index, folder))).toEqual([])
})

test("nothing else in the copy fails to compile", () => {
  const planted = /^src\/\w+\/breach-\d+\.ts\(/
  expect(report.split("\n").filter((line) => /^\S/.test(line) && !planted.test(line))).toEqual([])
})
