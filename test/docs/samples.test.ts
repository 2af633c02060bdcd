/** The code blocks of the pages compile, as those of an application would. The pages of the frameworks have tests of their own. */
import { execFile } from "node:child_process"
import { readFile, readdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { consumer } from "../package/consumer.js"
import { blocksOf, moduleOf } from "./blocks.ts"

const PAGES = [
  "SKILL.md",
  ...[
    "client",
    "cluster",
    "coming-from",
    "command",
    "how-presence-works",
    "index",
    "inspector",
    "recipes",
    "running-in-production",
    "security",
    "server",
    "shared",
    "start",
    "supabase",
    "troubleshooting",
  ].map((name) => `docs/${name}.md`),
]
/** The pages whose blocks other tests compile or run. */
const ELSEWHERE = ["react", "recipes-frameworks", "services", "solid", "svelte", "testing", "vue"]
/** What the blocks may import beside Rollcall. */
const PACKAGES = [
  "@nats-io/transport-node",
  "@supabase/realtime-js",
  "@types/node",
  "@types/react",
  "@types/react-dom",
  "@types/ws",
  "csstype",
  "jose",
  "prom-client",
  "react",
  "react-dom",
  "redis",
  "solid-js",
  "svelte",
  "undici-types",
  "vue",
  "ws",
  "zod",
]
/** Languages of blocks that no compiler checks here. */
const OTHER = new Set(["caddy", "elixir", "haproxy", "json", "nginx", "sh"])

test("each page with code is compiled, here or by a test of its own", async () => {
  const names = (await readdir("docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)
  const withCode = await Promise.all(
    names.map(async (page) => ((await blocksOf(page)).some((block) => moduleOf(block)) ? [page] : [])),
  )
  const checked = new Set([...PAGES, ...ELSEWHERE.map((name) => `docs/${name}.md`)])
  expect(withCode.flat().filter((page) => !checked.has(page))).toEqual([])
})

test("each code block compiles", async () => {
  const blocks = (await Promise.all(PAGES.map(blocksOf))).flat()
  expect(blocks.length).toBeGreaterThan(50)
  const others = blocks.filter((block) => moduleOf(block) === undefined).map(({ language }) => language)
  expect(others.filter((language) => !OTHER.has(language))).toEqual([])

  const { folder, remove } = await consumer(PACKAGES)
  onTestFinished(remove)
  const modules = blocks.map(moduleOf).filter((module) => module !== undefined)
  const declared = await readFile("test/docs/names.txt", "utf8")
  await Promise.all([
    ...modules.map(([file, text]) => writeFile(join(folder, file), text)),
    writeFile(join(folder, "names.d.ts"), declared),
    writeFile(join(folder, "vue.d.ts"), 'declare module "*.vue" { export default {} as import("vue").Component }'),
  ])
  const check = async (name: string, ending: RegExp, strict: boolean): Promise<string> => {
    const compilerOptions = {
      noEmit: true,
      strict,
      // A sample may leave out the types of a callback of its own.
      noImplicitAny: false,
      allowJs: true,
      checkJs: true,
      skipLibCheck: true,
      target: "es2022",
      lib: ["es2023", "dom", "dom.iterable", "esnext.disposable"],
      types: ["node"],
      module: "esnext",
      moduleResolution: "bundler",
      jsx: "react-jsx",
    }
    const files = ["names.d.ts", "vue.d.ts", ...modules.map(([file]) => file).filter((file) => ending.test(file))]
    await writeFile(join(folder, name), JSON.stringify({ compilerOptions, files }))
    const tsc = [resolve("node_modules/typescript/bin/tsc"), "-p", join(folder, name)]
    return promisify(execFile)(process.execPath, tsc).then(
      () => "",
      ({ stdout }: { stdout: string }) => stdout,
    )
  }
  expect(await check("typescript.json", /\.tsx?$/, true)).toBe("")
  expect(await check("javascript.json", /\.js$/, false)).toBe("")
})

test("each block of JSON is JSON", async () => {
  const blocks = (await Promise.all(PAGES.map(blocksOf))).flat().filter(({ language }) => language === "json")
  for (const { page, line, text } of blocks) expect(() => JSON.parse(text), `${page}:${line}`).not.toThrow()
})
