/** Builds the application of `app.tsx` with a version of React. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { build, type InlineConfig } from "vite"
import type { Binding } from "../../contracts/binding.ts"
import type { Shown } from "../../contracts/binding-app.ts"

/**
 * Bundles a file of this folder, with what React checks in development.
 *
 * @param suffix of the packages of React in node_modules: "" or "-18"
 */
export async function bundle(entry: string, suffix = "", config: InlineConfig = {}): Promise<string> {
  const alias = suffix && [
    { find: /^react($|\/)/, replacement: `react${suffix}$1` },
    { find: /^react-dom($|\/)/, replacement: `react-dom${suffix}$1` },
  ]
  const built = await build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: "error",
    mode: "development",
    define: { "process.env.NODE_ENV": '"development"' },
    resolve: { alias: alias || [] },
    ...config,
    build: {
      write: false,
      minify: false,
      rolldownOptions: { input: join(import.meta.dirname, entry) },
      ...config.build,
    },
  })
  if (!("output" in built)) throw new Error("expected one build, got several or a watcher")
  return built.output[0].code
}

/**
 * Builds the application of `app.tsx`.
 *
 * @param suffix as for `bundle`
 */
export async function buildReactApp(suffix: string): Promise<Binding> {
  const script = await bundle("page.tsx", suffix)
  const server = await bundle("server.tsx", suffix, { build: { ssr: true }, ssr: { noExternal: true } })
  const folder = await mkdtemp(resolve("node_modules/.cache-react-"))
  const file = join(folder, "server.mjs")
  await writeFile(file, server)
  type Rendering = { toText(shown: Shown): string; toStream(shown: Shown): Promise<string> }
  const { toText, toStream } = (await import(pathToFileURL(file).href)) as Rendering
  await rm(folder, { recursive: true })
  return { script, render: { text: toText, stream: toStream } }
}
