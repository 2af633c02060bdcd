import { build } from "vite"

/** Bundles one program of a project with vite, in memory, and returns its entry. */
export async function viteBuild(root: string, input: string) {
  const built = await build({
    root,
    configFile: false,
    logLevel: "error",
    build: { write: false, rolldownOptions: { input } },
  })
  if (!("output" in built)) throw new Error("expected one build, got several or a watcher")
  return built.output[0]
}
