import { execFile } from "node:child_process"
import { readdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { consumer, ENTRIES } from "./consumer.js"

const run = promisify(execFile)
let project: Awaited<ReturnType<typeof consumer>>

beforeAll(async () => {
  project = await consumer(["ws"])
})
afterAll(() => project.remove())

/** Runs a CommonJS program in the project, under this version of Node, and returns what it writes as JSON. */
async function runCommonJs(program: string): Promise<unknown> {
  const file = join(project.folder, "program.cjs")
  await writeFile(file, program)
  const { stdout } = await run(process.execPath, [file], { cwd: project.folder })
  return JSON.parse(stdout)
}

test.for(ENTRIES)(
  "require(%j) gives the same exports as import, without the packages that are optional",
  async (entry) => {
    const program = `
      const required = require("${entry}")
      import("${entry}").then((imported) => {
        const names = Object.keys(imported)
        console.log(JSON.stringify({ some: names.length > 0, same: names.every((name) => required[name] === imported[name]) }))
      })`
    expect(await runCommonJs(program)).toEqual({ some: true, same: true })
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
  expect(await runCommonJs(program)).toEqual(["ada"])
})

test("no published module has a top-level await, which require() refuses", async () => {
  const files = (await readdir("dist", { recursive: true }))
    .filter((file) => file.endsWith(".js"))
    .map((file) => resolve("dist", file))
  const program = `
    const refused = []
    for (const file of ${JSON.stringify(files)}) try { require(file) } catch (error) { refused.push([file, error.code, error.message]) }
    console.log(JSON.stringify(refused))`
  expect(files.length).toBeGreaterThan(100)
  expect(await runCommonJs(program)).toEqual([])
})
