// Checks the size of what an application imports: bundles named imports, minifies and gzips them, and compares with budgets.
// Run after a build: node test/size.js
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { nodeResolve } from "@rollup/plugin-node-resolve"
import terser from "@rollup/plugin-terser"
import { gzip as gzipped } from "pako"
import { rollup } from "rollup"

const client = fileURLToPath(new URL("../dist/client/", import.meta.url))

const budgets = [
  { name: "reducers", imports: "{ syncState, syncDiff, list }", limit: 1150 },
  { name: "Presence", imports: "{ Presence }", limit: 3700, without: "phx_join" },
  { name: "connect, phoenix outside", imports: "{ connect }", limit: 15_060, external: ["phoenix"] },
  {
    name: "rollcall/react",
    from: "bindings/react.js",
    imports: "*",
    limit: 1000,
    external: (/** @type {string} */ id) => id === "react" || id.startsWith("../"),
  },
  {
    name: "rollcall/react with held rooms",
    from: "bindings/react.js",
    imports: "*",
    limit: 2350,
    external: (/** @type {string} */ id) => id === "react" || /\/(connect|error|given|metas|timers|view)\.js$/.test(id),
  },
  ...["vue", "svelte", "solid"].map((framework) => ({
    name: `rollcall/${framework}`,
    from: `bindings/${framework}.js`,
    imports: "*",
    limit: 1000,
    external: (/** @type {string} */ id) => /^(vue|svelte|solid-js)\b/.test(id) || id.startsWith("../"),
  })),
  // What they add to a page that has a connection.
  {
    name: "rollcall/idle, added",
    added: ["idle.js", "{ idle }"],
    imports: "{ connect }",
    limit: 700,
    external: ["phoenix"],
  },
  {
    name: "rollcall/shared, added",
    added: ["shared/index.js", "{ shared }"],
    imports: "{ connect }",
    limit: 2800,
    external: ["phoenix"],
  },
  {
    name: "record of rollcall/testing, added",
    added: ["../testing/index.js", "{ record }"],
    imports: "{ connect }",
    limit: 1850,
    external: ["phoenix"],
  },
  {
    name: "rollcall/inspector, added",
    added: ["../inspector/index.js", "*"],
    imports: "{ connect }",
    limit: 13_500,
    external: ["phoenix"],
  },
  { name: "connect, phoenix inside", imports: "{ connect }", limit: 22_230 },
  { name: "script tag, phoenix inside", imports: "*", limit: 24_940 },
]

/**
 * @param {string} imports
 * @param {import("rollup").ExternalOption | undefined} external modules that are not measured
 * @param {string} from
 * @param {string[]} [added] a further file, and what is imported from it
 */
async function bundle(imports, external, from = "index.js", added) {
  const lines = [[from, imports], ...(added ? [added] : [])].map(
    ([file, names]) => `export ${names} from ${JSON.stringify(client + file)}`,
  )
  const entry = {
    name: "entry",
    resolveId: (id) => (id === "entry" ? id : null),
    load: (id) => (id === "entry" ? lines.join("\n") : null),
  }
  /** @type {import("rollup").LogHandlerWithDefault} */
  const onLog = (level, log, handle) => void (log.code === "MODULE_LEVEL_DIRECTIVE" || handle(level, log))
  const build = await rollup({ onLog, input: "entry", external, plugins: [entry, nodeResolve({ browser: true })] })
  // All exports together are measured as they are published: as a script.
  /** @type {import("rollup").OutputOptions} */
  const format = imports === "*" && !external ? { format: "iife", name: "Rollcall" } : { format: "es" }
  // The plugin's types declare a default export for CommonJS, under which Node's rules find the module itself.
  const minify = /** @type {typeof terser.default} */ (/** @type {unknown} */ (terser))
  const { output } = await build.generate({
    ...format,
    // Without this, an external file is imported by its path, and the size depends on the folder of the repository.
    paths: (id) => (id.startsWith("/") ? basename(id) : id),
    plugins: [minify({ ecma: 2020, module: format.format === "es" })],
  })
  return output[0].code
}

const rows = []
// Not node:zlib: what Node's build of it finds depends on the processor by a few bytes.
/** @param {string} code */
const sizeOf = (code) => gzipped(code, { level: 9 }).length
for (const { name, imports, limit, without, external, from, added } of budgets) {
  const code = await bundle(imports, external, from, added)
  const gzip = sizeOf(code) - (added ? sizeOf(await bundle(imports, external, from)) : 0)
  const over = gzip > limit
  const hasSocket = without !== undefined && code.includes(without)
  if (over || hasSocket) process.exitCode = 1
  const verdict = over ? "over budget" : hasSocket ? "contains the socket" : "ok"
  rows.push({ bundle: name, minified: code.length, gzip, budget: limit, verdict })
}
console.table(rows)
