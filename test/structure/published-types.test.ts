import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"

// Compiles the published types in another project, with strict checks and without skipLibCheck.
const CODE = `
import { connect, Presence, Socket } from "rollcall"
const socket = new Socket("/socket", { params: { token: "t" } })
const channel = socket.channel("rooms:1")
let presences = {}
channel.on("presence_state", (state) => { presences = Presence.syncState(presences, state) })
channel.on("presence_diff", (diff) => { presences = Presence.syncDiff(presences, diff) })
const presence = new Presence<{ name: string }>(channel)
presence.list((_key, { metas: [first] }) => first!.name)
// @ts-expect-error -- a wrong field
presence.list((_key, { metas: [first] }) => first!.nickname)
const room = connect("/socket").room<{ name: string }>("rooms:1")
room.list((_key, { metas: [first] }) => first.name)
// @ts-expect-error -- a wrong field
room.list((_key, { metas: [first] }) => first.nickname)
`
/** As @types/phoenix does: declarations under the package's name, in which metas are \`any\`. */
const PHOENIX_TYPES = `export class Presence { list(chooser?: (key: string, presence: any) => any): any[] }`

const run = promisify(execFile)
let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "published-types-"))
  const rollcall = join(project, "node_modules/rollcall")
  await mkdir(rollcall, { recursive: true })
  await cp("package.json", join(rollcall, "package.json"))
  await cp("dist", join(rollcall, "dist"), { recursive: true })
  await symlink(resolve("node_modules/phoenix"), join(project, "node_modules/phoenix"))
  await writeFile(join(project, "code.ts"), CODE)
})
afterAll(() => rm(project, { recursive: true }))

/** Returns the output of the compiler. */
async function compilerErrors(moduleResolution: string): Promise<string> {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    target: "es2022",
    lib: ["es2022", "dom"],
    types: [],
    module: moduleResolution === "bundler" ? "esnext" : moduleResolution,
    moduleResolution,
  }
  await writeFile(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["code.ts"] }))
  const { stdout } = await run(resolve("node_modules/.bin/tsc"), ["-p", project]).catch(
    (failed: { stdout: string }) => failed,
  )
  return stdout
}

test.for(["bundler", "nodenext"])(
  "the types compile alone, and reject a wrong field (%s)",
  async (moduleResolution) => {
    expect(await compilerErrors(moduleResolution)).toBe("")
  },
)

test("the types compile and reject a wrong field beside @types/phoenix, whose metas are any", async () => {
  const types = join(project, "node_modules/@types/phoenix")
  await mkdir(types, { recursive: true })
  await writeFile(
    join(types, "package.json"),
    `{ "name": "@types/phoenix", "version": "1.6.6", "types": "index.d.ts" }`,
  )
  await writeFile(join(types, "index.d.ts"), PHOENIX_TYPES)
  expect(await compilerErrors("bundler")).toBe("")
})
