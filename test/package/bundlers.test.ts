import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { nodeResolve } from "@rollup/plugin-node-resolve"
import { rollup } from "rollup"
import { afterAll, beforeAll, expect, test } from "vitest"
import { viteBuild } from "../support/vite-build.ts"
import { consumer } from "./consumer.js"

let project: Awaited<ReturnType<typeof consumer>>

beforeAll(async () => {
  project = await consumer()
})
afterAll(() => project.remove())

interface Bundle {
  readonly moduleIds: readonly string[]
  readonly imports: readonly string[]
  readonly code: string
}

const BUNDLERS: Record<string, (input: string) => Promise<Bundle>> = {
  vite: (input) => viteBuild(project.folder, input),
  async rollup(input) {
    const built = await rollup({ input, plugins: [nodeResolve({ browser: true })] })
    const { output } = await built.generate({ format: "es" })
    return output[0]
  },
}

/** Bundles a page with this code. Each module is named by its path below `node_modules`. */
async function bundle(bundler: string, code: string, extension = "js"): Promise<Bundle & { modules: string[] }> {
  const input = join(project.folder, `page-${bundler}.${extension}`)
  await writeFile(input, code)
  const bundled = await BUNDLERS[bundler]!(input)
  const modules = bundled.moduleIds
    .filter((id) => id.includes("node_modules/"))
    .map((id) => id.slice(id.lastIndexOf("node_modules/") + "node_modules/".length).replace(/\?.*/, ""))
  return { ...bundled, modules }
}

/** Modules that may be in a page: the client, what it shares with the server, and phoenix.js as an ES module. */
const OF_A_PAGE = /^(rollcall\/dist\/((client|wire)\/)?[\w-]+\.js|phoenix\/priv\/static\/phoenix\.mjs)$/

/** What shows that a bundle expects Node. */
const OF_NODE = /\bnode:|\brequire\(|\bprocess\.|\bBuffer\b|browser-external/

const CONNECTING = `import { connect } from "rollcall"; globalThis.connect = connect`

test.for(Object.keys(BUNDLERS))(
  "a page that %s bundles holds modules of the client and phoenix.js, and imports nothing",
  async (bundler) => {
    const { modules, imports } = await bundle(bundler, CONNECTING)
    expect(modules.filter((module) => !OF_A_PAGE.test(module))).toEqual([])
    expect(modules).toContain("phoenix/priv/static/phoenix.mjs")
    expect(imports).toEqual([])
  },
)

// A minified bundle, so that no comment is found.
test("a page that vite bundles asks for nothing that only Node has", async () => {
  const { code } = await bundle("vite", CONNECTING)
  expect(OF_NODE.exec(code)?.[0]).toBeUndefined()
})

test.for(["fakeRoom", "record", "replay"])(
  "a page can import %s, which asks for nothing that only Node has",
  async (name) => {
    const { code, modules, imports } = await bundle(
      "vite",
      `import { ${name} } from "rollcall/testing"; globalThis.it = ${name}`,
    )
    expect([OF_NODE.exec(code)?.[0], imports]).toEqual([undefined, []])
    expect(modules.filter((module) => /dist\/(server|tracker|crdt)\//.test(module))).toEqual([])
  },
)

test("a bundler leaves out of a page what it does not import", async () => {
  const { code } = await bundle("vite", `import { syncState } from "rollcall"; globalThis.syncState = syncState`)
  expect(code.includes("phx_join")).toBe(false)
})

test("a page that requires rollcall gets the same modules as one that imports it, phoenix.js once", async () => {
  const imported = await bundle("vite", `import * as rollcall from "rollcall"; globalThis.rollcall = rollcall`)
  const required = await bundle("vite", `globalThis.rollcall = require("rollcall")`, "cjs")
  expect(new Set(required.modules)).toEqual(new Set(imported.modules))
  expect(required.modules.filter((module) => module.startsWith("phoenix/"))).toEqual([
    "phoenix/priv/static/phoenix.mjs",
  ])
})
