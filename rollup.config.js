import { nodeResolve } from "@rollup/plugin-node-resolve"
import terser from "@rollup/plugin-terser"

/** A page has no ports, processes or files: what a server loads for them on demand is left out. */
const withoutNode = { name: "without-node", resolveDynamicImport: () => false }

export default [
  // The script-tag build: everything that "rollcall" exports, phoenix.js's Socket inside, as the global `Rollcall`.
  {
    input: "dist/client/index.js",
    output: { file: "dist/rollcall.min.js", format: "iife", name: "Rollcall", sourcemap: true },
    plugins: [nodeResolve({ browser: true }), terser({ ecma: 2020, module: false })],
  },
  // The demo's page that is bundled from modules, as an application would be.
  {
    input: "demo/bundle/modules.js",
    // The inspector is a chunk of its own, loaded when it is asked for.
    output: {
      dir: "demo/bundle",
      entryFileNames: "modules.bundle.js",
      chunkFileNames: "chunks/[name].js",
      format: "es",
    },
    plugins: [nodeResolve({ browser: true })],
  },
  // The demo's page of a cluster, nodes and clients in one file: it works from any folder, and even without a server.
  {
    input: "demo/bundle/cluster/page.js",
    output: { file: "demo/bundle/cluster.bundle.js", format: "iife" },
    plugins: [nodeResolve({ browser: true }), withoutNode, terser({ ecma: 2020, compress: false })], // compressed it is 3 % smaller, and takes twice as long
  },
]
