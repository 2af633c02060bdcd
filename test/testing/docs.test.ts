/** The examples of docs/testing.md compile, and those without a page run. */
import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test, vi } from "vitest"

const page = await readFile("docs/testing.md", "utf8")
const samples = Array.from(page.matchAll(/^```(tsx?)\n([^]*?)^```/gm), ([, kind, text], at) => ({
  file: `sample-${at}.${kind}`,
  text: text!,
}))

// In a folder of this package, so that `rollcall/testing` is what was built.
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(resolve("test/testing/docs-"))
  for (const { file, text } of samples) await writeFile(join(folder, file), text)
})
afterAll(() => rm(folder, { recursive: true }))

test("the examples of docs/testing.md compile", async () => {
  expect(samples.length).toBeGreaterThan(3)
  const config = join(folder, "tsconfig.json")
  const include = samples.map(({ file }) => file)
  await writeFile(config, JSON.stringify({ extends: resolve("test/tsconfig.json"), include }))
  const tsc = promisify(execFile)(resolve("node_modules/.bin/tsc"), ["-p", config])
  expect((await tsc.catch((failed: { stdout: string }) => failed)).stdout).toBe("")
})

test.for(samples.filter(({ file }) => file.endsWith(".ts")))("the example $file runs", async ({ file }) => {
  const log = vi.spyOn(console, "log").mockReturnValue()
  await expect(import(join(folder, file))).resolves.toBeDefined()
  log.mockRestore()
})
