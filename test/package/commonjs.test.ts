import { execFile } from "node:child_process"
import { readdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { consumer, ENTRIES } from "./consumer.js"

const run = promisify(execFile)
type Project = Awaited<ReturnType<typeof consumer>>
let project: Project
let bare: Project

beforeAll(async () => {
  project = await consumer(["ws"])
  bare = await consumer(["react", "vue", "svelte", "solid-js"])
})
afterAll(() => Promise.all([project.remove(), bare.remove()]))

/** Runs a CommonJS program in a project, under this version of Node, and returns what it writes as JSON. */
async function runCommonJs({ folder }: Project, program: string): Promise<unknown> {
  const file = join(folder, "program.cjs")
  await writeFile(file, program)
  const { stdout } = await run(process.execPath, [file], { cwd: folder })
  return JSON.parse(stdout)
}

test.for(ENTRIES)(
  "require(%j) gives the same exports as import, without the packages that are optional on a server",
  async (entry) => {
    const program = `
      const required = require("${entry}")
      import("${entry}").then((imported) => {
        const names = Object.keys(imported)
        console.log(JSON.stringify({ some: names.length > 0, same: names.every((name) => required[name] === imported[name]) }))
      })`
    expect(await runCommonJs(bare, program)).toEqual({ some: true, same: true })
  },
)

test("a server and a client in one CommonJS program see each other, and the program ends by itself", async () => {
  const program = `
    const { WebSocket } = require("ws")
    const { connect } = require("rollcall")
    const { createServer } = require("rollcall/server")
    async function main() {
      const server = createServer()
      server.socket("/socket", { connect: ({ params }) => ({ name: params.name }) })
      server.channel("rooms:*", { join: () => ({ ok: {} }), presence: ({ assigns }) => ({ key: assigns.name, meta: {} }) })
      const { port } = await server.listen({ port: 0, host: "127.0.0.1", signals: false })
      const connection = connect("ws://127.0.0.1:" + port + "/socket", { params: { name: "ada" }, transport: WebSocket })
      const room = connection.room("rooms:1")
      const keys = () => room.list((key) => key)
      await new Promise((seen) => room.subscribe(() => keys().length > 0 && seen()))
      console.log(JSON.stringify(keys()))
      connection.disconnect()
      await server.close()
    }
    main()`
  expect(await runCommonJs(project, program)).toEqual(["ada"])
})

test("no published module has a top-level await, which require() refuses", async () => {
  // The command is a program of its own, and no module that others load.
  const files = (await readdir("dist", { recursive: true }))
    .filter((file) => file.endsWith(".js") && !file.startsWith("command"))
    .map((file) => resolve("dist", file))
  const program = `
    const refused = []
    for (const file of ${JSON.stringify(files)}) try { require(file) } catch (error) { refused.push([file, error.code, error.message]) }
    console.log(JSON.stringify(refused))`
  expect(files.length).toBeGreaterThan(100)
  expect(await runCommonJs(project, program)).toEqual([])
})

test("what TypeScript writes for CommonJS runs, with named imports and with import *", async () => {
  const source = `
    import { connect } from "rollcall"
    import * as rollcall from "rollcall"
    import * as server from "rollcall/server"
    process.stdout.write(JSON.stringify([typeof connect, rollcall.connect === connect, typeof server.createServer]))`
  const options = { module: "commonjs", moduleResolution: "bundler", target: "es2022", outDir: "out", types: ["node"] }
  const typed = await consumer(["@types/node", "undici-types"])
  try {
    await writeFile(join(typed.folder, "program.ts"), source)
    await writeFile(
      join(typed.folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: options, files: ["program.ts"] }),
    )
    await run(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", typed.folder])
    const { stdout } = await run(process.execPath, [join(typed.folder, "out/program.js")])
    expect(JSON.parse(stdout)).toEqual(["function", true, "function"])
  } finally {
    await typed.remove()
  }
})
