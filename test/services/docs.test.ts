import { execFile } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"

// The blocks of docs/services.md are one program. It is compiled and run from a folder of this package, so that
// `rollcall/services` is what was built.
let folder: string
let program: string
beforeAll(async () => {
  const page = await readFile("docs/services.md", "utf8")
  const blocks = Array.from(page.matchAll(/^```ts\n([^]*?)^```/gm), ([, block]) => block!)
  expect(blocks.length).toBeGreaterThan(5)
  folder = await mkdtemp(resolve("test/services/docs-"))
  program = join(folder, "page.ts")
  // The first call also loads oRPC, which may take longer than the page's timeout on a busy machine.
  const patient = blocks.join("\n").replaceAll(/timeoutMs: [\d_]+/g, "timeoutMs: 200_000")
  await writeFile(program, patient.replaceAll("console.log(", "void ("))
})
afterAll(() => rm(folder, { recursive: true }))

test("the examples of docs/services.md compile", async () => {
  const config = join(folder, "tsconfig.json")
  const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false }
  await writeFile(
    config,
    JSON.stringify({ extends: resolve("test/tsconfig.json"), compilerOptions, include: ["page.ts"] }),
  )
  const tsc = promisify(execFile)(resolve("node_modules/.bin/tsc"), ["-p", config])
  expect((await tsc.catch((failed: { stdout: string }) => failed)).stdout).toBe("")
})

test("the examples of docs/services.md run", async () => {
  await expect(import(program)).resolves.toBeDefined()
})
