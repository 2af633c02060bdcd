/** An example with Vite: its types, its build, its render on a server, and two people in its development and its built page. */
import assert from "node:assert/strict"
import { cp, readFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { checkBundle } from "./bundle.js"
import { twoPeople } from "./people.js"
import { run } from "./project.js"

/**
 * A render on a server: a program that prints the page, and what differs in the settings of its build.
 *
 * @typedef {{ program: string, config?: (text: string) => string }} ServerRender
 */

const PROPS = `{ me: { name: "Ada", color: "teal" }, userId: "ada" }`

/** @type {Record<"react" | "vue" | "svelte" | "solid", ServerRender>} */
const RENDERS = {
  react: {
    program: `
import { createElement } from "react"
import { renderToString } from "react-dom/server"
import { App } from "./src/app.tsx"
console.log(renderToString(createElement(App, ${PROPS})))`,
  },
  vue: {
    program: `
import { createSSRApp } from "vue"
import { renderToString } from "vue/server-renderer"
import { RollcallPlugin } from "rollcall/vue"
import App from "./src/App.vue"
console.log(await renderToString(createSSRApp(App, ${PROPS}).use(RollcallPlugin, { url: "/socket" })))`,
  },
  svelte: {
    program: `
import { render } from "svelte/server"
import App from "./src/App.svelte"
console.log(render(App, { props: ${PROPS} }).body)`,
  },
  solid: {
    config: (text) => text.replace("solid()", "solid({ ssr: true })"),
    program: `
import { createComponent, renderToString } from "solid-js/web"
import { App } from "./src/app.tsx"
console.log(renderToString(() => createComponent(App, ${PROPS})))`,
  },
}

/**
 * @param {import("./project.js").Project} project
 * @param {import("playwright").Browser} browser
 * @param {{
 *   framework?: keyof typeof RENDERS,
 *   use?: NonNullable<Parameters<typeof twoPeople>[2]>["use"],
 * }} options
 */
export async function tryVite(project, browser, { framework, use } = {}) {
  const render = framework && RENDERS[framework]
  // The blocks that the example does not use are compiled with it.
  if (framework) await cp(join("examples/blocks", framework), join(project.folder, "src"), { recursive: true })
  const built = await project.script("build")
  assert.doesNotMatch(built, /\bwarn(ing)?\b(?!s\b)/i, built)
  await checkBundle(join(project.folder, "dist"))
  if (render) await renderOnServer(project, render)
  const vite = join(project.folder, "node_modules/.bin/vite")
  for (const command of ["dev", "preview"]) {
    const args = [command, "--host", "127.0.0.1", "--port", "0"]
    await twoPeople(browser, await project.serve(vite, args), {
      use,
      looks: command === "preview" ? basename(project.folder) : undefined,
    })
  }
  return [
    "types",
    "build",
    "nothing of the server in the page",
    ...(render ? ["all blocks", "server render"] : []),
    "dev",
    "preview",
    "six looks",
  ]
}

/** Renders the page without a `document`, which shows nobody, and must open nothing that keeps the program from its end. */
async function renderOnServer(
  /** @type {import("./project.js").Project} */ project,
  /** @type {ServerRender} */ render,
) {
  const { folder } = project
  const config = await readFile(join(folder, "vite.config.js"), "utf8")
  await project.write("vite.ssr.config.js", render.config?.(config) ?? config)
  await project.write("render.js", render.program)
  const args = ["build", "--config", "vite.ssr.config.js", "--ssr", "render.js", "--outDir", "ssr"]
  await run(join(folder, "node_modules/.bin/vite"), args, { cwd: folder })
  const html = await project.node("ssr/render.js")
  assert.match(html, /<h1/)
  assert.doesNotMatch(html, /title="/)
}
