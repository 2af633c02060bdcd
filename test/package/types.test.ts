import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { consumer, ENTRIES } from "./consumer.js"
import { compileReport, typeCases } from "./type-cases.js"

// A short share. `npm run matrix:types` compiles all of them with each supported version of TypeScript.

const PHOENIX_TYPES = `export class Presence { list(chooser?: (key: string, presence: any) => any): any[] }`

const PAGE = "a page without @types/node"
const typescript = resolve("node_modules/typescript")
const { version } = JSON.parse(await readFile(join(typescript, "package.json"), "utf8")) as { version: string }
const ALWAYS = new Set(["ES modules, nodenext", "CommonJS, nodenext"])
const cases = typeCases(version, ENTRIES).filter(
  ({ shape, surroundings }) => surroundings.name === PAGE || ALWAYS.has(shape.name),
)
let project: Awaited<ReturnType<typeof consumer>>

beforeAll(async () => {
  project = await consumer([
    "@types/node",
    "undici-types",
    "redis",
    "@redis",
    "@types/react",
    "csstype",
    "vue",
    "svelte",
    "solid-js",
  ])
})
afterAll(() => project.remove())

test("each entry is imported by a project of each kind", () => {
  const imported = cases.flatMap((project) => project.imported)
  expect(new Set(imported)).toEqual(new Set(ENTRIES))
})

test.for(cases)("the published types compile, and show a mistake: $name", async (kind) => {
  expect(await compileReport(project.folder, typescript, kind)).toBe("")
})

test("beside @types/phoenix, whose metas are any, the published types compile and reject an unknown field", async () => {
  const types = join(project.folder, "node_modules/@types/phoenix")
  await mkdir(types, { recursive: true })
  await writeFile(
    join(types, "package.json"),
    `{ "name": "@types/phoenix", "version": "1.6.6", "types": "index.d.ts" }`,
  )
  await writeFile(join(types, "index.d.ts"), PHOENIX_TYPES)
  const page = cases.find(({ name }) => name === `ES modules, bundler, ${PAGE}`)
  expect(await compileReport(project.folder, typescript, page!)).toBe("")
})
