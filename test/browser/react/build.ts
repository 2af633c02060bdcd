/** Builds the application of `app.tsx` with a version of React. */
import { join } from "node:path"
import type { Binding } from "../../contracts/binding.ts"
import * as framework from "../framework-build.ts"

/** @param suffix of the packages of React in node_modules: "" or "-18" */
const config = (suffix: string) => ({
  resolve: {
    alias: suffix
      ? [
          { find: /^react($|\/)/, replacement: `react${suffix}$1` },
          { find: /^react-dom($|\/)/, replacement: `react-dom${suffix}$1` },
        ]
      : [],
  },
})

const fileOf = (name: string): string => join(import.meta.dirname, name)

/**
 * Bundles a file of this folder, with what React checks in development.
 *
 * @param suffix as for `config`
 */
export const bundle = (entry: string, suffix = ""): Promise<string> => framework.bundle(fileOf(entry), config(suffix))

/**
 * Builds the application of `app.tsx`.
 *
 * @param suffix as for `config`
 */
export async function buildReactApp(suffix: string): Promise<Binding> {
  const script = await bundle("page.tsx", suffix)
  type Rendering = Record<"toText" | "toStream", Binding["render"][string]>
  const { toText, toStream } = await framework.load<Rendering>(fileOf("server.tsx"), config(suffix))
  return { script, render: { text: toText, stream: toStream } }
}
