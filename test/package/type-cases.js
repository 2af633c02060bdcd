/**
 * The projects in which the published types must compile, each with `skipLibCheck: false`: ES modules and CommonJS, with each way to
 * resolve modules, and only the global types that an entry needs.
 */
import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"

/**
 * How a project imports. `since` and `until` are the first and the last version of TypeScript that allow it.
 *
 * @typedef {{ name: string, extension: string, since?: number, until?: number, options: Record<string, unknown> }} Shape
 */

const commonJs = { verbatimModuleSyntax: false }
// The types of the package `redis` need `esModuleInterop`.
const node10 = { ...commonJs, module: "commonjs", moduleResolution: "node10", esModuleInterop: true }

/** @type {Shape[]} */
const SHAPES = [
  { name: "ES modules, nodenext", extension: "mts", options: { module: "nodenext" } },
  { name: "ES modules, bundler", extension: "ts", options: { module: "esnext", moduleResolution: "bundler" } },
  {
    name: "ES modules, not strict",
    extension: "mts",
    options: { module: "nodenext", strict: false, exactOptionalPropertyTypes: false },
  },
  // Before TypeScript 5.8, `nodenext` does not know that Node can load an ES module by `require`.
  { name: "CommonJS, nodenext", extension: "cts", since: 5.8, options: { module: "nodenext", ...commonJs } },
  { name: "CommonJS with import =, nodenext", extension: "cts", since: 5.8, options: { module: "nodenext" } },
  { name: "CommonJS, node20", extension: "cts", since: 5.9, options: { module: "node20", ...commonJs } },
  {
    name: "CommonJS, node10",
    extension: "ts",
    until: 5.9,
    options: node10,
  },
  {
    name: "CommonJS, node10 with its warning off",
    extension: "ts",
    since: 6,
    until: 6,
    options: { ...node10, ignoreDeprecations: "6.0" },
  },
  {
    name: "CommonJS, bundler",
    extension: "ts",
    since: 6,
    options: { module: "commonjs", moduleResolution: "bundler", ...commonJs },
  },
  { name: "CommonJS with import =, preserve", extension: "cts", options: { module: "preserve" } },
]

/** The global types that a project may have. An entry is checked with those that it needs, and with no more. */
const SURROUNDINGS = [
  {
    name: "a page without @types/node",
    options: { lib: ["es2022", "dom"], types: [] },
    holds: (entry) => /^rollcall(\/react|\/vue|\/svelte|\/solid|\/idle|\/inspector|\/testing|\/shared)?$/.test(entry),
  },
  {
    name: "neither DOM nor @types/node",
    options: { lib: ["es2022"], types: [] },
    holds: (entry) => /^rollcall(\/idle|\/tracker|\/pubsub|\/pubsub\/nats)?$/.test(entry),
  },
  {
    name: "@types/node without DOM",
    options: { lib: ["es2022"], types: ["node"] },
    holds: (entry) => /^rollcall\/(server|services|tracker|pubsub|pubsub\/redis|pubsub\/nats|testing)$/.test(entry),
  },
]

/** How code uses an entry, where an import alone would not show that its types are found: each use has a mistake. */
const USES = {
  rollcall: `
const socket = new entry.Socket("/socket", { params: { token: "t" } })
const channel = socket.channel("rooms:1")
let presences = {}
channel.on("presence_state", (state) => { presences = entry.Presence.syncState(presences, state) })
channel.on("presence_diff", (diff) => { presences = entry.Presence.syncDiff(presences, diff) })
const presence = new entry.Presence<{ name: string }>(channel)
presence.list((_key, { metas: [first] }) => first!.name)
// @ts-expect-error -- a wrong field
presence.list((_key, { metas: [first] }) => first!.nickname)
const room = entry.connect("/socket").room<{ name: string }>("rooms:1")
room.list((_key, { metas: [first] }) => first.name)
// @ts-expect-error -- a wrong field
room.list((_key, { metas: [first] }) => first.nickname)
`,
  "rollcall/react": `
function Name() {
  const room = entry.useRoom<{ name: string }>("rooms:1", { me: { name: "Ada" } })
  const names = entry.useUsers(room, (users) => users.map(({ metas: [first] }) => first.name))
  // @ts-expect-error -- a wrong field
  entry.useUser(room, "ada", (user) => user?.metas[0].nickname)
  return names.join()
}
void Name
`,
  "rollcall/inspector": `
const inspected: Parameters<typeof entry.inspect>[0] = undefined!
entry.inspect(inspected, { open: true }).remove()
// @ts-expect-error -- a wrong option
entry.inspect(inspected, { opened: true })
`,
  "rollcall/shared": `
const sharing = entry.shared("/socket", { name: "ada", params: {}, mergeMetas: (metas) => ({ ...metas[0], tabs: metas.length }) })
const leads: boolean = sharing.isLeader
sharing.room<{ name: string }>("rooms:1").list((key, { metas }) => metas[0].name)
// @ts-expect-error -- without a name
entry.shared("/socket", {})
`,
  "rollcall/idle": `
const idled: { status: string; update(patch: { away?: boolean }): unknown; push(event: string, payload: object): unknown } = undefined!
entry.idle([idled], { afterMs: 60_000 }).stop()
// @ts-expect-error -- a wrong option
entry.idle(idled, { after: 60_000 })
`,
  "rollcall/vue": `
const room = entry.useRoom<{ name: string }>(() => "rooms:1", { me: { name: "Ada" } })
const names = entry.useUsers(room, (users) => users.map(({ metas: [first] }) => first.name))
names.value.join()
// @ts-expect-error -- a wrong field
entry.useUser(room, "ada", (user) => user?.metas[0].nickname)
`,
  "rollcall/svelte": `
const room = entry.useRoom<{ name: string }>(() => "rooms:1", { me: { name: "Ada" } })
const names = entry.useUsers(room, (users) => users.map(({ metas: [first] }) => first.name))
names.current.join()
// @ts-expect-error -- a wrong field
entry.useUser(room, "ada", (user) => user?.metas[0].nickname)
`,
  "rollcall/solid": `
const room = entry.useRoom<{ name: string }>(() => "rooms:1", { me: { name: "Ada" } })
const names = entry.useUsers(room, (users) => users.map(({ metas: [first] }) => first.name))
names().join()
// @ts-expect-error -- a wrong field
entry.useUser(room, "ada", (user) => user?.metas[0].nickname)
`,
  "rollcall/server": `
const server = entry.createServer<{ userId: string }>()
server.channel("rooms:*", {
  join: () => ({ ok: {} }),
  // @ts-expect-error -- a wrong field
  presence: ({ assigns }) => ({ key: assigns.userName, meta: {} }),
})
`,
}

/**
 * Returns the projects that a version of TypeScript must compile.
 *
 * @param {string} version such as `5.6.3`
 * @param {string[]} entries
 */
export function typeCases(version, entries) {
  const number = Number.parseFloat(version)
  const shapes = SHAPES.filter(({ since = 0, until = Infinity }) => since <= number && number <= until)
  return SURROUNDINGS.flatMap((surroundings) => {
    const imported = entries.filter(surroundings.holds)
    return shapes.map((shape) => ({ name: `${shape.name}, ${surroundings.name}`, shape, surroundings, imported }))
  })
}

/**
 * Compiles one such project in the folder of a consumer.
 *
 * @param {string} folder
 * @param {string} typescript the folder of the package `typescript`
 * @param {ReturnType<typeof typeCases>[number]} project
 * @returns {Promise<string>} the compiler's report, which is empty without errors
 */
export async function compileReport(folder, typescript, { name, shape, surroundings, imported }) {
  const prefix = name.replaceAll(/[^\w]+/g, "-")
  const files = imported.map((entry) => `${prefix}.${entry.replaceAll("/", "-")}.${shape.extension}`)
  const importsByRequire = name.includes("import =")
  for (const [index, entry] of imported.entries()) {
    const line = importsByRequire ? `import entry = require("${entry}")` : `import * as entry from "${entry}"`
    await writeFile(join(folder, files[index]), `${line}\n${USES[entry] ?? ""}\nvoid Object.keys(entry)\n`)
  }
  const compilerOptions = {
    noEmit: true,
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    skipLibCheck: false,
    ...surroundings.options,
    ...shape.options,
  }
  const config = join(folder, `${prefix}.json`)
  await writeFile(config, JSON.stringify({ compilerOptions, files }))
  return new Promise((resolve) => {
    execFile(process.execPath, [join(typescript, "bin/tsc"), "-p", config], { cwd: folder }, (error, stdout) => {
      resolve(error === null ? "" : stdout || error.message)
    })
  })
}
