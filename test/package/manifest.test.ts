import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { ENTRIES, manifest } from "./consumer.js"

interface Target {
  readonly types: string
  readonly default: string
}

const exported = manifest.exports as Record<string, Target | string>

test("TypeScript finds the same types where it does not read exports (moduleResolution node10)", () => {
  const found: Record<string, string[]> = { rollcall: [manifest.types] }
  for (const [path, types] of Object.entries(manifest.typesVersions["*"])) found[`rollcall/${path}`] = types as string[]
  const wanted = ENTRIES.map((entry) => [entry, [(exported[entry.replace("rollcall", ".")] as Target).types]])
  expect(found).toEqual(Object.fromEntries(wanted))
  expect(manifest.main).toBe((exported["."] as Target).default)
})

test("the conditions of each entry begin with its types and end with what import and require() both load", () => {
  for (const entry of ENTRIES) {
    expect(Object.keys(exported[entry.replace("rollcall", ".")]!), entry).toEqual(["types", "default"])
  }
})

test("the matrix of Node's versions begins with the lowest ones that engines allows", async () => {
  const lowest = [...(manifest.engines.node as string).matchAll(/\d+\.\d+\.\d+/g)].map(([version]) => version)
  expect(lowest).toEqual(["20.19.0", "22.12.0"])
  const matrix = await readFile("test/matrix.js", "utf8")
  for (const version of lowest) expect(matrix).toContain(`"${version}"`)
})
