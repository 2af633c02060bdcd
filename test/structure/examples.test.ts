/** `examples`: each is a package that is listed and tried, and the blocks are the files that the examples use. */
import { readdir, readFile } from "node:fs/promises"
import { builtinModules } from "node:module"
import { basename, join } from "node:path"
import { expect, test } from "vitest"
import { ENTRIES, manifest } from "../package/consumer.js"
import { APPS } from "../package/try/apps.js"

interface Manifest {
  readonly name: string
  readonly private: boolean
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const SOURCE = /\.(?:[cm]?[jt]sx?|vue|svelte|html)$/
/** What a run of an example leaves in its folder. */
const LEFT = /\/(?:node_modules|dist|\.next)\//

const filesBelow = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !LEFT.test(file))

const folders = (await readdir("examples", { withFileTypes: true })).filter((entry) => entry.isDirectory())
const examples = folders.map(({ name }) => name).filter((name) => name !== "blocks")
const blocks = (await filesBelow("examples/blocks")).filter((file) => SOURCE.test(file))
const page = await readFile("docs/examples.md", "utf8")

test.for(examples)("the example %s is a package with one command, listed with it in docs/examples.md", async (name) => {
  const example = JSON.parse(await readFile(`examples/${name}/package.json`, "utf8")) as Manifest
  expect(example.name).toBe(`rollcall-example-${name}`)
  expect(example.private).toBe(true)
  const command = `npm install && npm ${"dev" in example.scripts ? "run dev" : "start"}`
  expect(await readFile(`examples/${name}/README.md`, "utf8")).toContain(command)
  expect(page).toContain(`| [${name}](../examples/${name}/README.md) | \`${command}\` |`)
})

test.for(examples)(
  "the example %s depends on this version of rollcall, and on exact versions of all others",
  async (name) => {
    const { dependencies, devDependencies } = JSON.parse(
      await readFile(`examples/${name}/package.json`, "utf8"),
    ) as Manifest
    const { rollcall, ...others } = { ...dependencies, ...devDependencies }
    expect(rollcall).toBe(`^${manifest.version as string}`)
    for (const version of Object.values(others)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  },
)

test.for(examples)("the example %s imports only entries that exist, and packages that it names", async (name) => {
  const { dependencies, devDependencies } = JSON.parse(
    await readFile(`examples/${name}/package.json`, "utf8"),
  ) as Manifest
  const named = { ...dependencies, ...devDependencies }
  const sources = (await filesBelow(`examples/${name}`)).filter((file) => SOURCE.test(file))
  const text = (await Promise.all(sources.map((file) => readFile(file, "utf8")))).join("\n")
  const imported = Array.from(
    text.matchAll(/(?:\bfrom |\bimport |\brequire\(|\bimport\(|\bresolve\()"([^"./][^"]*)"/g),
    ([, specifier]) => specifier!,
  )
  const entries = new Set([...ENTRIES, "rollcall/rollcall.min.js"])
  const unknown = imported.filter((specifier) => {
    const bare = specifier.startsWith("@") ? specifier.split("/", 2).join("/") : specifier.split("/")[0]!
    if (bare === "rollcall") return !entries.has(specifier)
    return !(bare in named) && !builtinModules.includes(specifier.replace("node:", ""))
  })
  expect(unknown).toEqual([])
  const isServed = imported.includes("rollcall/server")
  expect("ws" in named || !isServed, "a server needs ws").toBe(true)
  expect(imported.some((specifier) => specifier.startsWith("rollcall"))).toBe(true)
})

test("npm run try-package tries each example", () => {
  const tried = APPS.map(({ from }) => from).filter((from) => from.startsWith("examples/"))
  expect(tried.sort()).toEqual(examples.map((name) => `examples/${name}`).sort())
})

test("the four blocks exist for each of the four frameworks, and docs/examples.md links to each", () => {
  expect(blocks).toHaveLength(16)
  for (const file of blocks) expect(page).toContain(`(../${file})`)
})

test("a block that an example contains is the same file", async () => {
  const names = new Set(blocks.map((file) => basename(file)))
  const files = await Promise.all(examples.map((name) => filesBelow(`examples/${name}`)))
  const copies = files.flat().filter((file) => names.has(basename(file)))
  expect(copies.length).toBeGreaterThan(6)
  for (const copy of copies) {
    const text = await readFile(copy, "utf8")
    const originals = await Promise.all(
      blocks.filter((file) => basename(file) === basename(copy)).map((file) => readFile(file, "utf8")),
    )
    expect(originals, `${copy} is a copy of one of the blocks`).toContain(text)
  }
})
