/** Each sample of docs/react.md is a module that compiles, as an application would compile it. */
import { execFile } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { consumer } from "../package/consumer.js"

const page = await readFile("docs/react.md", "utf8")
const samples = Array.from(page.matchAll(/^```tsx\n([^]*?)^```/gm), ([, sample]) => sample!)

test("the samples of docs/react.md compile", async () => {
  expect(samples.length).toBeGreaterThan(3)
  const { folder, remove } = await consumer(["react", "@types/react", "csstype"])
  onTestFinished(remove)
  const files = await Promise.all(
    samples.map(async (sample, at) => {
      await writeFile(join(folder, `sample-${at}.tsx`), sample)
      return `sample-${at}.tsx`
    }),
  )
  const compilerOptions = {
    noEmit: true,
    strict: true,
    target: "es2022",
    lib: ["es2022", "dom"],
    types: [],
    module: "esnext",
    moduleResolution: "bundler",
    jsx: "react-jsx",
  }
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  const compile = promisify(execFile)(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", folder])
  const report = await compile.then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  )
  expect(report).toBe("")
})

test("the avatar stack of docs/react.md has at most 20 lines", () => {
  expect(samples[0]!.trimEnd().split("\n").length).toBeLessThanOrEqual(20)
})
