import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"

// The lint rules that need types. Each breach is a file of its own in a temporary project, which is linted once, by the command
// of the gate `lint`.
const breaches: [rule: string, code: string][] = [
  ["no-floating-promises", "export function start(run: () => Promise<void>): void { run() }"],
  ["no-misused-promises", "export const calls = [1].map(String); calls.forEach(async (call) => { await call })"],
  ["no-unsafe-assignment", `export const value: string = JSON.parse("1")`],
  ["no-unsafe-return", `export const read = (text: string): string => JSON.parse(text)`],
  ["no-unsafe-argument", `export const size = (text: string) => Object.keys(JSON.parse(text)).length`],
  ["no-unsafe-call", `export const called: unknown = JSON.parse("1")()`],
  ["no-unsafe-member-access", `export const field: unknown = JSON.parse("{}").field`],
]
const accepted = `
export async function start(run: () => Promise<void>): Promise<void> {
  await run()
  void run()
}
export const read = (text: string): unknown => JSON.parse(text) as unknown
`

let project: string
let report: { filename: string; code: string }[]

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "type-rules-"))
  await cp(".oxlintrc.json", join(project, ".oxlintrc.json"))
  await cp("tsconfig.json", join(project, "tsconfig.json"))
  await symlink(resolve("node_modules"), join(project, "node_modules"))
  await mkdir(join(project, "src/server"), { recursive: true })
  await writeFile(join(project, "src/tsconfig.json"), `{ "extends": "../tsconfig.json", "include": ["."] }`)
  for (const [rule, code] of breaches) await writeFile(join(project, `src/server/${rule}.ts`), `${code}\n`)
  await writeFile(join(project, "src/server/accepted.ts"), accepted)
  const { scripts } = JSON.parse(await readFile("package.json", "utf8")) as { scripts: { lint: string } }
  const [linter = "", ...options] = scripts.lint.split(" ")
  const command = resolve("node_modules/.bin", linter)
  const lint = promisify(execFile)(command, [...options, "-f", "json", "src"], { cwd: project })
  const { stdout } = await lint.catch((failed: { stdout: string }) => failed)
  report = (JSON.parse(stdout) as { diagnostics: typeof report }).diagnostics
})
afterAll(() => rm(project, { recursive: true }))

const rulesBrokenIn = (file: string) => report.filter(({ filename }) => filename.endsWith(file)).map(({ code }) => code)

test.for(breaches)("the linter reports a breach of %s: %s", ([rule]) => {
  expect(rulesBrokenIn(`src/server/${rule}.ts`)).toContain(`typescript(${rule})`)
})

test("the linter accepts awaited and voided promises, and JSON that is read as unknown", () => {
  expect(rulesBrokenIn("src/server/accepted.ts")).toEqual([])
})
