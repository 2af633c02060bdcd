/** The recipes of docs/recipes-frameworks.md compile and run: those of Preact and Lit in a real Chromium, that of Angular without a page. */
import { execFile } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import type { Browser } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect } from "../../src/client/index.ts"
import { consumer } from "../package/consumer.js"
import { startChromium } from "../support/chromium.ts"
import { serve } from "../support/serve.ts"
import { viteBuild } from "../support/vite-build.ts"
import { load } from "./framework-build.ts"

type Person = { name: string }

let browser: Browser
let project: Awaited<ReturnType<typeof consumer>>
beforeAll(async () => {
  const page = await readFile("docs/recipes-frameworks.md", "utf8")
  const recipes = Array.from(page.matchAll(/^```tsx?\n([^]*?)^```/gm), ([, recipe]) => recipe!)
  expect(recipes).toHaveLength(3)
  project = await consumer(["preact", "@preact/signals", "lit", "@angular/core", "rxjs"])
  const names = ["preact", "lit", "angular"]
  await Promise.all(recipes.map((recipe, at) => writeFile(join(project.folder, `${names[at]}.ts`), recipe)))
  browser = await startChromium()
})
afterAll(async () => {
  await browser?.close()
  await project?.remove()
})

/** A server with a user, Bob, who is in the room, and what others see of the page's user. */
async function start(script = "") {
  const html = `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/page.js"></script>`
  const served = await serve<{ userId: string }>(
    (server) => {
      server.socket("/socket", { connect: ({ params: { userId = "" } }) => ({ userId }) })
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        allow: ["name"],
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
  const bob = connect(`${served.url}/socket`, { params: { userId: "bob" }, transport: WebSocket })
  onTestFinished(() => bob.disconnect())
  const room = bob.room<Person>("rooms:lobby", { me: { name: "Bob" } })
  await room.ready
  return { url: served.url, room }
}

/** Bundles a program beside the recipes, and opens it. */
async function open(program: string) {
  const entry = join(project.folder, "main.ts")
  await writeFile(entry, program)
  const { code } = await viteBuild(project.folder, entry)
  const { url, room } = await start(code)
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  await page.goto(url.replace("ws:", "http:"))
  return { page, room }
}

test("the recipes compile", async () => {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    target: "es2022",
    lib: ["es2022", "dom", "dom.iterable"],
    types: [],
    module: "esnext",
    moduleResolution: "bundler",
    skipLibCheck: true,
  }
  const files = ["preact.ts", "lit.ts", "angular.ts"]
  await writeFile(join(project.folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  const tsc = resolve("node_modules/typescript/bin/tsc")
  const compile = promisify(execFile)(process.execPath, [tsc, "-p", project.folder])
  const report = await compile.then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  )
  expect(report).toBe("")
})

test("with Preact signals, the page shows who is here, renders one user alone, and leaves", async () => {
  const { page, room } = await open(`
    import { h, render } from "preact"
    import { joinRoom, nameOf } from "./preact.ts"
    import "@preact/signals"
    globalThis.renders = {}
    const { room, users, leave } = joinRoom("rooms:lobby", { name: "Ada" })
    globalThis.leave = leave
    const names = {}
    function Name({ of }) {
      names[of] ??= nameOf(room, of).name
      globalThis.renders[of] = (globalThis.renders[of] ?? 0) + 1
      return h("span", {}, names[of].value)
    }
    const Names = () => users.value.map(({ key }) => key).sort().join()
    const App = () => h("div", {}, h("p", {}, h(Names)), h(Name, { of: "ada" }), h(Name, { of: "bob" }))
    render(h(App), document.querySelector("#app"))`)
  const shown = () => page.locator("span").allInnerTexts()
  await expect.poll(shown).toEqual(["Ada", "Bob"])
  await expect.poll(() => page.innerText("p")).toBe("ada,bob")
  const before = await page.evaluate<Record<string, number>>("renders")
  room.update({ name: "Bobby" })
  await expect.poll(shown).toEqual(["Ada", "Bobby"])
  expect(await page.evaluate("renders")).toEqual({ ...before, bob: before["bob"]! + 1 })
  await page.evaluate("leave()")
  await expect.poll(() => room.get("ada")).toBeUndefined()
})

test("with Lit, an element shows who is here while it is in the page", async () => {
  const { page, room } = await open(`
    import "./lit.ts"
    globalThis.element = document.createElement("who-is-here")
    document.querySelector("#app").append(element)`)
  const shown = () => page.locator("who-is-here span").allInnerTexts()
  await expect.poll(async () => (await shown()).sort()).toEqual(["Ada", "Bob"])
  await page.evaluate("element.remove()")
  await expect.poll(() => room.get("ada")).toBeUndefined()
  await page.evaluate(`document.querySelector("#app").append(element)`)
  await expect.poll(() => room.get("ada")?.metas[0].name).toBe("Ada")
  await expect.poll(async () => (await shown()).sort()).toEqual(["Ada", "Bob"])
})

test("with Angular signals, an injector has who is here until it is destroyed", async () => {
  const { url, room } = await start()
  const entry = join(project.folder, "angular-program.ts")
  await writeFile(
    entry,
    `export { createEnvironmentInjector, runInInjectionContext, computed } from "@angular/core"
    export { CONNECTION, injectRoom } from "./angular.ts"`,
  )
  const angular = await load<any>(entry)
  const connection = connect(`${url}/socket`, { params: { userId: "ada" }, transport: WebSocket })
  onTestFinished(() => connection.disconnect())
  const injector = angular.createEnvironmentInjector([{ provide: angular.CONNECTION, useValue: connection }], null)
  const here = angular.runInInjectionContext(injector, () => angular.injectRoom("rooms:lobby", { name: "Ada" }))
  const names = angular.computed(() =>
    here
      .users()
      .map(({ metas: [{ name }] }: { metas: [Person] }) => name)
      .sort(),
  )
  await expect.poll(() => names()).toEqual(["Ada", "Bob"])
  room.update({ name: "Bobby" })
  await expect.poll(() => names()).toEqual(["Ada", "Bobby"])
  injector.destroy()
  await expect.poll(() => room.get("ada")).toBeUndefined()
})
