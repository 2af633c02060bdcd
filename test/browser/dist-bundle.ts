/** Bundles published modules for a page, as an application would. */
import { nodeResolve } from "@rollup/plugin-node-resolve"
import { rollup } from "rollup"

/** @param code exports of files in `./dist` */
export async function bundleOf(code: string): Promise<string> {
  const entry = {
    name: "entry",
    resolveId: (id: string, from?: string) =>
      id === "entry" ? id : from === "entry" ? id.replace(".", () => process.cwd()) : null,
    load: (id: string) => (id === "entry" ? code : null),
  }
  const built = await rollup({ input: "entry", plugins: [entry, nodeResolve({ browser: true })] })
  return (await built.generate({ format: "es" })).output[0].code
}
