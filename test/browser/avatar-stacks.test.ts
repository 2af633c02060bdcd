/** The avatar stacks of docs/vue.md, docs/svelte.md and docs/solid.md, built from the package as it is published, in a real Chromium. */
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { svelte } from "@sveltejs/vite-plugin-svelte"
import vue from "@vitejs/plugin-vue"
import type { Browser } from "playwright"
import { build, type PluginOption } from "vite"
import solid from "vite-plugin-solid"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect } from "../../src/client/index.ts"
import { consumer } from "../package/consumer.js"
import { startChromium } from "../support/chromium.ts"
import { serve } from "../support/serve.ts"

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

interface Stack {
  readonly name: string
  readonly packages: readonly string[]
  readonly plugins: () => PluginOption[]
  /** The files of the program: those of the page's first samples, and what its reader adds. The first one is the entry. */
  readonly files: (samples: readonly string[]) => Record<string, string>
}

const STACKS: Stack[] = [
  {
    name: "vue",
    packages: ["vue"],
    plugins: () => [vue()],
    files: ([avatars, main]) => ({ "main.ts": main!, "Avatars.vue": avatars! }),
  },
  {
    name: "svelte",
    packages: ["svelte"],
    plugins: () => [svelte({ configFile: false })],
    files: ([avatars]) => ({
      "main.ts": `import { mount } from "svelte"; import Avatars from "./Avatars.svelte"
        mount(Avatars, { target: document.querySelector("#app"), props: { me: { name: "Ada", color: "teal" } } })`,
      "Avatars.svelte": avatars!,
    }),
  },
  {
    name: "solid",
    packages: ["solid-js"],
    plugins: () => [solid()],
    files: ([avatars]) => ({
      "main.tsx": `import { render } from "solid-js/web"; import { App } from "./App.tsx"
        render(() => <App />, document.querySelector("#app"))`,
      "App.tsx": avatars!,
    }),
  },
]

test.for(STACKS)(
  "the avatar stack of the page on $name shows who is here",
  async ({ name, packages, plugins, files }) => {
    const page = await readFile(`docs/${name}.md`, "utf8")
    const samples = Array.from(page.matchAll(/^```\w+\n([^]*?)^```/gm), ([, sample]) =>
      // The server of this test serves the page, too.
      sample!.replace("ws://localhost:4000/socket", "/socket"),
    )
    const { folder, remove } = await consumer([...packages])
    onTestFinished(remove)
    const sources = Object.entries(files(samples))
    await Promise.all(sources.map(([file, text]) => writeFile(join(folder, file), text)))
    const built = await build({
      root: folder,
      configFile: false,
      logLevel: "error",
      plugins: plugins(),
      build: { write: false, rolldownOptions: { input: join(folder, sources[0]![0]) } },
    })
    if (!("output" in built)) throw new Error("expected one build, got several or a watcher")
    const script = built.output[0].code
    const html = `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/page.js"></script>`
    const { url } = await serve<{ userId: string }>(
      (server) => {
        server.socket("/socket", { connect: ({ params: { userId = "" } }) => ({ userId }) })
        server.channel("rooms:*", {
          join: () => ({ ok: {} }),
          allow: ["name", "color"],
          presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
        })
      },
      {},
      {
        request: ({ url }, response) => {
          response.setHeader("Content-Type", url === "/page.js" ? "text/javascript" : "text/html")
          response.end(url === "/page.js" ? script : html)
        },
      },
    )
    const tab = await browser.newPage()
    onTestFinished(() => tab.close())
    const complaints: string[] = []
    tab.on("console", (message) => void complaints.push(message.text()))
    tab.on("pageerror", (error) => complaints.push(String(error)))
    await tab.goto(url.replace("ws:", "http:"))
    const shown = () =>
      tab
        .locator("#app span")
        .evaluateAll((spans) =>
          (spans as HTMLElement[]).map((span) => `${span.title} ${span.innerText} ${span.style.background}`),
        )
    await expect.poll(shown).toEqual(["Ada A teal"])
    const other = connect(`${url}/socket`, { params: { userId: "bob" }, transport: WebSocket })
    onTestFinished(() => other.disconnect())
    const room = other.room<{ name: string; color: string }>("rooms:lobby", { me: { name: "Bob", color: "red" } })
    await expect.poll(shown).toEqual(["Ada A teal", "Bob B red"])
    room.leave()
    await expect.poll(shown).toEqual(["Ada A teal"])
    expect(complaints).toEqual([])
  },
)
