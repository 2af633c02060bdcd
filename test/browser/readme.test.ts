/** The README's first server and pages, as a reader copies them: in a project of its own, in a real Chromium. */
import { spawn, execFile } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import type { Browser, Page } from "playwright"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { consumer } from "../package/consumer.js"
import { startChromium } from "../support/chromium.ts"
import { freePort } from "../support/free-port.js"
import { viteBuild } from "../support/vite-build.ts"

const readme = await readFile("README.md", "utf8")
const client = await readFile("docs/client.md", "utf8")
const blocksOf = (page: string, language: string): string[] =>
  Array.from(page.matchAll(new RegExp("```" + language + "\\n([^]*?)```", "g")), ([, block]) => block!)
const [server, login] = blocksOf(readme, "js") as [string, string]
const [avatars] = blocksOf(readme, "tsx") as [string]
const [page, loginPage] = blocksOf(readme, "ts") as [string, string]
const [scriptTag] = blocksOf(client, "html") as [string]
const linesOf = (block: string): number => block.trim().split("\n").length

let browser: Browser
let project: Awaited<ReturnType<typeof consumer>>

beforeAll(async () => {
  const packages = ["ws", "jose", "react", "react-dom", "scheduler", "csstype", "@types/react", "@types/react-dom"]
  ;[browser, project] = await Promise.all([startChromium(), consumer(packages)])
})
afterAll(async () => {
  await browser?.close()
  await project?.remove()
})

/** Runs a server of the README on a port of its own, and returns the port once it listens. */
async function run(name: string, program: string, environment: NodeJS.ProcessEnv = {}): Promise<number> {
  const port = await freePort()
  await writeFile(join(project.folder, name), `${program.replace("4000", String(port))}\nconsole.log("listening")`)
  const child = spawn(process.execPath, [name], { cwd: project.folder, env: { ...process.env, ...environment } })
  onTestFinished(() => void child.kill("SIGKILL"))
  let errors = ""
  child.stderr.on("data", (data: Buffer) => (errors += String(data)))
  await new Promise<void>((listens, reject) => {
    child.stdout.once("data", () => listens())
    child.once("exit", () => reject(new Error(`expected a server, got: ${errors}`)))
  })
  return port
}

/** Bundles a program of a page with vite. */
async function bundle(name: string, program: string): Promise<string> {
  const input = join(project.folder, name)
  await writeFile(input, program)
  return (await viteBuild(project.folder, input)).code
}

/** Serves the project's files, and these pages, at a port of its own. */
async function serveFiles(pages: Record<string, string>): Promise<string> {
  const http = createServer((request, response) => {
    const path = request.url!
    const type = path.endsWith(".js") ? "text/javascript" : "text/html"
    const send = (body: string | Buffer): unknown => response.setHeader("content-type", type).end(body)
    if (path in pages) send(pages[path]!)
    else readFile(join(project.folder, path)).then(send, () => response.writeHead(404).end())
  })
  await new Promise<void>((listens) => http.listen(0, listens))
  onTestFinished(() => void http.close())
  return `http://localhost:${(http.address() as AddressInfo).port}`
}

/** Opens a page in a browser of its own, and collects what goes wrong in it. */
async function open(url: string, name = "", cookie = ""): Promise<{ tab: Page; faults: string[] }> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  if (cookie !== "") await context.addCookies([{ name: "session", value: cookie, url }])
  const tab = await context.newPage()
  const faults: string[] = []
  tab.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(message.text())
  })
  tab.on("pageerror", (error) => faults.push(String(error)))
  tab.on("dialog", (dialog) => dialog.accept(name))
  await tab.goto(url)
  return { tab, faults }
}

test("the server has at most 12 lines, and the avatars in React at most 20", () => {
  expect(linesOf(server)).toBeLessThanOrEqual(12)
  expect(linesOf(avatars)).toBeLessThanOrEqual(20)
})

test("the pages compile, with strict types", async () => {
  const declared = `
    declare const render: (items: readonly string[]) => void
    declare const move: (key: string, x: number, y: number) => void
    `
  const files = {
    "avatars.tsx": avatars,
    "page.ts": declared + page,
    "login-page.ts": `import { connect } from "rollcall"\n${loginPage}\nexport { connection }`,
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(project.folder, name), text)
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    target: "es2022",
    module: "preserve",
    jsx: "react-jsx",
    lib: ["dom", "es2023"],
    types: [],
    noEmit: true,
  }
  await writeFile(join(project.folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: Object.keys(files) }))
  const compile = promisify(execFile)(process.execPath, [
    resolve("node_modules/typescript/bin/tsc"),
    "-p",
    project.folder,
  ])
  const { stdout } = await compile.catch((error: { stdout: string }) => error)
  expect(stdout).toBe("")
})

test("two people see each other's avatar, with the name and the color that each has chosen, until one goes", async () => {
  const port = await run("server.mjs", server)
  const main = await bundle("main.tsx", avatars.replace("4000", String(port)))
  const html = `<!doctype html><link rel="icon" href="data:,"><div id="root"></div>`
  const url = await serveFiles({
    "/": `${html}<script type="module" src="/main.js"></script>`,
    "/main.js": main,
  })
  const [ada, grace] = [await open(url, "Ada"), await open(url, "Grace")]
  const shown = (tab: Page): Promise<unknown> =>
    tab.$$eval("#root span", (spans) =>
      (spans as HTMLElement[]).map(({ title, style }) => [title, style.background.slice(0, 4)]).sort(),
    )
  const both = [
    ["Ada", "rgb("],
    ["Grace", "rgb("],
  ]
  await expect.poll(() => shown(ada.tab)).toEqual(both)
  await expect.poll(() => shown(grace.tab)).toEqual(both)
  await grace.tab.close()
  await expect.poll(() => shown(ada.tab)).toEqual(both.slice(0, 1))
  expect([ada.faults, grace.faults]).toEqual([[], []])
})

test("the page without React, and the one with a script tag, show each other's names", async () => {
  const port = await run("server.mjs", server)
  const yours = `const render = (items: readonly string[]) => { document.title = items.join(", ") }
    const move = (...where: unknown[]) => { document.body.textContent = where.join(" ") }
    `
  const plainPage = await bundle("plain.ts", yours + page.replace("4000", String(port)))
  const icon = `<!doctype html><link rel="icon" href="data:,"><body>`
  const url = await serveFiles({
    "/plain": `${icon}<script type="module" src="/plain.js"></script>`,
    "/plain.js": plainPage,
    "/script-tag": icon + scriptTag.replace("4000", String(port)).replace(`"ada"`, `"grace"`).replace("Ada", "Grace"),
  })
  const plain = await open(`${url}/plain`)
  const { tab, faults } = await open(`${url}/script-tag`)
  await expect.poll(() => plain.tab.title()).toBe("Ada (1), Grace (1)")
  const third = await open(`${url}/plain`)
  await expect.poll(() => plain.tab.title()).toBe("Ada (2), Grace (1)")
  let moves = 0
  await expect
    .poll(async () => {
      // To and fro: what is sent before the server's answer to the join has come is dropped.
      await third.tab.mouse.move(70, 80 + (moves++ % 2))
      return plain.tab.innerText("body")
    })
    .toMatch(/^ada 70 8[01]$/)
  expect(await tab.title()).toBe("")
  expect([faults, plain.faults, third.faults]).toEqual([[], [], []])
})

test("with the login, only who has a session gets a token, and the server takes the user from it", async () => {
  const yours = `const userOfSession = ({ headers }) => {
      const [, id] = /session=(\\w+)/.exec(headers.cookie) ?? []
      return id && { id }
    }
    `
  const channel = /server\.channel\([^]*?\n\}\)\n/.exec(server)![0].replace(/ {2}on:.*\n/, "")
  const program = yours + login.replace("await server.listen", `${channel}await server.listen`)
  const port = await run("login.mjs", program, { SECRET: "s".repeat(32) })
  const url = `http://localhost:${port}`
  const script = await readFile(join(project.folder, "node_modules/rollcall/dist/rollcall.min.js"), "utf8")
  const enter = async (cookie: string): Promise<unknown[]> => {
    const { tab } = await open(`${url}/token`, "", cookie)
    await tab.addScriptTag({ content: script })
    await tab.addScriptTag({
      content: `const { connect } = Rollcall\n${loginPage}\nObject.assign(window, { connection })`,
    })
    return tab.evaluate(
      () =>
        new Promise((settled) => {
          const { connection } = window as unknown as { connection: import("../../src/client/index.ts").Connection }
          const room = connection.room("rooms:lobby", { me: { name: "x", userId: "root" } })
          connection.onStatus(() => connection.reason && settled([connection.status, connection.reason.detail]))
          room.subscribe(() => room.self && settled([connection.status, room.self.key, room.self.metas[0]["name"]]))
        }),
    )
  }
  expect(await enter("ada")).toEqual(["open", "ada", "x"])
  expect(await enter("")).toEqual(["refused", "token_invalid"])
})
