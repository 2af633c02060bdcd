/** Builds pages and server programs of UI frameworks, each with the development build of its framework, which checks more. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { build, type InlineConfig } from "vite"

/** Bundles one file, in memory, and returns the code. */
export async function bundle(entry: string, config: InlineConfig = {}): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    mode: "development",
    ...config,
    define: { "process.env.NODE_ENV": '"development"', ...config.define },
    build: { write: false, minify: false, rolldownOptions: { input: resolve(entry) }, ...config.build },
  })
  if (!("output" in built)) throw new Error("expected one build, got several or a watcher")
  return built.output[0].code
}

/** Bundles a program for a server with all that it imports, and loads it. */
export async function load<Program>(entry: string, config: InlineConfig = {}): Promise<Program> {
  const code = await bundle(entry, {
    ...config,
    ssr: { noExternal: true },
    build: { ssr: true, write: false, minify: false, rolldownOptions: { input: resolve(entry) } },
  })
  const folder = await mkdtemp(resolve("node_modules/.cache-program-"))
  const file = join(folder, "server.mjs")
  await writeFile(file, code)
  const program = (await import(pathToFileURL(file).href)) as Program
  await rm(folder, { recursive: true })
  return program
}
