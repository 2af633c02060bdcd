/** The samples of docs/vue.md, docs/svelte.md and docs/solid.md compile: by TypeScript, and by the compiler of their framework. */
import { execFile } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { compile as compileSvelte } from "svelte/compiler"
import { compileScript, parse } from "vue/compiler-sfc"
import { expect, onTestFinished, test } from "vitest"
import { consumer } from "../package/consumer.js"

interface Framework {
  readonly name: string
  readonly packages: readonly string[]
  /** What a sample of the page is, by the language of its block: the file that TypeScript checks. */
  readonly files: Readonly<Record<string, (sample: string, at: number) => [name: string, text: string]>>
  readonly options: Readonly<Record<string, unknown>>
}

const FRAMEWORKS: Framework[] = [
  {
    name: "vue",
    packages: ["vue"],
    files: {
      // TypeScript checks the script. The compiler checks the template, and that it finds in the script what it uses.
      vue: (sample, at) => {
        const { descriptor, errors } = parse(sample)
        expect(errors).toEqual([])
        const { bindings } = compileScript(descriptor, { id: `sample-${at}`, inlineTemplate: true })
        expect(Object.keys(bindings ?? {})).not.toEqual([])
        const macro = "declare function defineProps<Props>(): Props"
        return [`sample-${at}.ts`, `${descriptor.scriptSetup!.content}\n${macro}\nexport {}`]
      },
      ts: (sample, at) => [
        `sample-${at}.ts`,
        sample.replace(`import Avatars from "./Avatars.vue"`, "declare const Avatars: any"),
      ],
    },
    options: {},
  },
  {
    name: "svelte",
    packages: ["svelte"],
    files: {
      svelte: (sample, at) => {
        const { warnings } = compileSvelte(sample, { filename: `Sample${at}.svelte`, generate: "client", runes: true })
        expect(warnings.map(({ message }) => message)).toEqual([])
        expect(() => compileSvelte(sample, { generate: "server", runes: true })).not.toThrow()
        const [, script = ""] = /<script lang="ts">([^]*?)<\/script>/.exec(sample) ?? []
        return [`sample-${at}.ts`, `/// <reference types="svelte" />\n${script}`]
      },
    },
    options: {},
  },
  {
    name: "solid",
    packages: ["solid-js"],
    files: { tsx: (sample, at) => [`sample-${at}.tsx`, sample] },
    options: { jsx: "preserve", jsxImportSource: "solid-js" },
  },
]

test.for(FRAMEWORKS)("the samples of the page on $name compile", async ({ name, packages, files, options }) => {
  const page = await readFile(`docs/${name}.md`, "utf8")
  const blocks = Array.from(page.matchAll(/^```(\w+)\n([^]*?)^```/gm), ([, language, sample]) => [language!, sample!])
  expect(blocks.length).toBeGreaterThan(3)
  expect(blocks.map(([language]) => language).filter((language) => !((language ?? "") in files))).toEqual([])
  expect(blocks[0]![1]!.trimEnd().split("\n").length).toBeLessThanOrEqual(20)

  const { folder, remove } = await consumer([...packages])
  onTestFinished(remove)
  const sources = blocks.map(([language, sample], at) => files[language!]!(sample!, at))
  await Promise.all(sources.map(([file, text]) => writeFile(join(folder, file), text)))
  const compilerOptions = {
    noEmit: true,
    strict: true,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: [],
    module: "esnext",
    moduleResolution: "bundler",
    ...options,
  }
  const config = { compilerOptions, files: sources.map(([file]) => file) }
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config))
  const compile = promisify(execFile)(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", folder])
  const report = await compile.then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  )
  expect(report).toBe("")
})
