/** The blocks of `examples/blocks` compile: their scripts by TypeScript, with the types of the package as it is published. */
import { execFile } from "node:child_process"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { expect, onTestFinished, test } from "vitest"
import { consumer } from "../package/consumer.js"

const MACROS = `declare function defineProps<Props>(): Props
declare function defineEmits<Events extends Record<string, unknown[]>>(): <E extends keyof Events>(
  event: E,
  ...args: Events[E]
) => void
`
const scriptOf = (text: string): string => /<script [^>]*lang="ts">([^]*?)<\/script>/.exec(text)?.[1] ?? ""

interface Framework {
  readonly name: string
  readonly packages: readonly string[]
  /** What TypeScript checks of a block. */
  readonly script: (text: string) => string
  readonly extension: string
  readonly options: Readonly<Record<string, unknown>>
}

const FRAMEWORKS: Framework[] = [
  {
    name: "react",
    packages: ["react", "@types/react"],
    script: (text) => text,
    extension: ".tsx",
    options: { jsx: "react-jsx" },
  },
  {
    name: "solid",
    packages: ["solid-js"],
    script: (text) => text,
    extension: ".tsx",
    options: { jsx: "preserve", jsxImportSource: "solid-js" },
  },
  {
    name: "vue",
    packages: ["vue"],
    script: (text) => `${scriptOf(text)}\n${MACROS}export {}\n`,
    extension: ".ts",
    options: {},
  },
  {
    name: "svelte",
    packages: ["svelte"],
    script: (text) => `/// <reference types="svelte" />\n${scriptOf(text)}`,
    extension: ".ts",
    options: {},
  },
]

test.for(FRAMEWORKS)("the blocks for $name compile", async ({ name, packages, script, extension, options }) => {
  const { folder, remove } = await consumer([...packages])
  onTestFinished(remove)
  const blocks = await readdir(`examples/blocks/${name}`)
  expect(blocks).toHaveLength(4)
  const files = await Promise.all(
    blocks.map(async (block) => {
      const text = script(await readFile(`examples/blocks/${name}/${block}`, "utf8"))
      expect(text).toContain(`from "rollcall/${name}"`)
      const file = block.replace(/\.\w+$/, extension)
      await writeFile(join(folder, file), text)
      return file
    }),
  )
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: [],
    module: "esnext",
    moduleResolution: "bundler",
    ...options,
  }
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  const compile = promisify(execFile)(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", folder])
  const report = await compile.then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  )
  expect(report).toBe("")
})
