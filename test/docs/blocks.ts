/** The code blocks of the documentation, as files that TypeScript can check. */
import { readFile } from "node:fs/promises"
import { compile as compileSvelte } from "svelte/compiler"
import { compileScript, parse } from "vue/compiler-sfc"

/** A code block: its language, its text, and where it begins. */
export interface Block {
  readonly page: string
  readonly line: number
  readonly language: string
  readonly text: string
}

/** Returns the code blocks of a page that name a language. */
export async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(page, "utf8")
  return Array.from(text.matchAll(/^( *)```(\w+)\n([^]*?)^\1```/gm), ({ index, 2: language, 3: block }) => ({
    page,
    line: text.slice(0, index).split("\n").length,
    language: language!,
    text: block!,
  }))
}

/** Returns a block as a module: its file name, and what TypeScript checks of it. Throws what the compiler of a framework refuses. */
export function moduleOf({ page, line, language, text }: Block): [file: string, source: string] | undefined {
  const name = `${page.replace(/\W/g, "-")}-${line}`
  // TypeScript then takes a block without imports for a module, whose names are its own.
  const end = "\nexport {}\n"
  switch (language) {
    case "ts":
      return [`${name}.ts`, text + end]
    case "tsx":
      return [`${name}.tsx`, (text.includes("solid-js") ? "/** @jsxImportSource solid-js */\n" : "") + text + end]
    case "js":
      return [`${name}.js`, text + end]
    case "vue": {
      const { descriptor, errors } = parse(text)
      if (errors.length > 0) throw new Error(`${page}:${line}`, { cause: errors[0] })
      // This compiles the template, too.
      compileScript(descriptor, { id: name, inlineTemplate: true })
      return [`${name}.ts`, `${descriptor.scriptSetup?.content ?? ""}\ndeclare function defineProps<P>(): P${end}`]
    }
    case "svelte": {
      const { warnings } = compileSvelte(text, { filename: `${name}.svelte`, generate: "client", runes: true })
      if (warnings.length > 0) throw new Error(`${page}:${line} ${warnings[0]!.message}`)
      const [, script = ""] = /<script lang="ts">([^]*?)<\/script>/.exec(text) ?? []
      return [`${name}.ts`, `/// <reference types="svelte" />\n${script}${end}`]
    }
    case "html": {
      const scripts = Array.from(text.matchAll(/<script>([^]*?)<\/script>/g), ([, script]) => script!)
      return [`${name}.js`, scripts.join("\n") + end]
    }
    default:
      return undefined
  }
}
