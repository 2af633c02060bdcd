import { nodeResolve } from "@rollup/plugin-node-resolve"
import terser from "@rollup/plugin-terser"

/** The script-tag build: everything that "rollcall" exports, phoenix.js's Socket inside, as the global `Rollcall`. */
export default {
  input: "dist/client/index.js",
  output: { file: "dist/rollcall.min.js", format: "iife", name: "Rollcall", sourcemap: true },
  plugins: [nodeResolve({ browser: true }), terser({ ecma: 2020, module: false })],
}
