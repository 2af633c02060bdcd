/**
 * Tries `rollcall/react` as an application has it: packs the package, and installs it into a project with Vite and into one with Next,
 * each against a real server in Chromium. Prints a line for each thing that holds, and fails at the first that does not.
 *
 * `npm run try:react` tries both, `npm run try:react -- vite` one of them. The installation takes minutes.
 */
import assert from "node:assert/strict"
import { execFile, spawn } from "node:child_process"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { promisify } from "node:util"
import { chromium } from "playwright"
import { WebSocket } from "ws"
import { connect } from "../../dist/client/index.js"
import { createServer } from "../../dist/server/index.js"
import { find } from "../support/needs.js"
import { nextFiles, viteFiles } from "./react-projects.js"

const PAGE_TIMEOUT_MS = 120_000
const USERS = 10_000
const CHANGES_PER_SECOND = 100
const SCROLLS = 100

const named = process.argv.slice(2)
const folder = await mkdtemp(join(tmpdir(), "rollcall-react-"))
/** @type {(() => unknown)[]} */
const undo = [() => rm(folder, { recursive: true, force: true })]
const ENV = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: undefined }
const run = (/** @type {string} */ program, /** @type {string[]} */ args, options = {}) =>
  promisify(execFile)(program, args, { maxBuffer: 1e8, env: ENV, ...options })

try {
  await run("npm", ["run", "--silent", "build"])
  await run("npm", ["pack", "--silent", "--pack-destination", folder])
  const { version } = JSON.parse(await readFile("package.json", "utf8"))
  const tarball = join(folder, `rollcall-${version}.tgz`)
  const browser = await chromium.launch({
    executablePath: find("chromium") ?? "",
    args: ["--no-sandbox", "--disable-gpu"],
  })
  undo.push(() => browser.close())
  if (named.length === 0 || named.includes("vite")) await tryVite(tarball, browser)
  if (named.length === 0 || named.includes("next")) await tryNext(tarball, browser)
} finally {
  for (const end of undo.toReversed()) await end()
}

/** A server, what it has seen of the page's user, and another user. */
async function startServer() {
  const seen = { sockets: 0, joins: /** @type {string[]} */ ([]), changes: /** @type {string[]} */ ([]) }
  const server = createServer()
  server.socket("/socket", {
    origins: false,
    connect: ({ params }) => {
      if (params.user === "me") seen.sockets += 1
      return { user: params.user }
    },
  })
  server.channel("rooms:*", {
    join: (topic, _params, { assigns }) => {
      if (assigns.user === "me") seen.joins.push(topic)
      return { ok: {} }
    },
    presence: ({ assigns }, me) => ({ key: assigns.user, meta: { name: assigns.user, ...me } }),
    allow: ["name"],
  })
  const { port } = await server.listen({ port: 0, host: "127.0.0.1", signals: false })
  const url = `ws://127.0.0.1:${port}/socket`
  const ada = connect(url, { params: { user: "ada" }, transport: WebSocket })
  undo.push(
    () => server.close(),
    () => ada.disconnect(),
  )
  const room = ada.room("rooms:1", { me: { name: "Ada" } })
  await room.ready
  room.onChange((changes) => void seen.changes.push(...changes.map(({ type, key }) => `${type} ${key}`)))
  return { server, url, seen }
}

/**
 * @param {string} name
 * @param {Record<string, string>} files
 * @param {string[]} packages
 */
async function makeProject(name, files, packages) {
  const project = join(folder, name)
  for (const [path, text] of Object.entries({ "package.json": `{ "type": "module", "private": true }`, ...files })) {
    await mkdir(dirname(join(project, path)), { recursive: true })
    await writeFile(join(project, path), text)
  }
  await run("npm", ["install", "--no-audit", "--no-fund", ...packages], { cwd: project })
  return project
}

/** Starts a development server, and resolves to the URL that it prints. */
function startDevServer(/** @type {string} */ project, /** @type {string[]} */ [program, ...args]) {
  const child = spawn(resolve(project, "node_modules/.bin", program), args, {
    cwd: project,
    env: ENV,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  })
  undo.push(() => process.kill(-(child.pid ?? 0)))
  return new Promise((resolve, reject) => {
    let text = ""
    child.stdout.on("data", (data) => {
      text += data
      // oxlint-disable-next-line no-control-regex -- the colors of a terminal
      const [url] = /http:\/\/[\w.]+:\d+/.exec(text.replaceAll(/\x1b\[\d+m/g, "")) ?? []
      if (url) resolve(url)
    })
    child.once("exit", (code) => reject(new Error(`${program} ended with ${code}: ${text}`)))
  })
}

/** Opens a page, and collects what it complains about. */
async function openPage(/** @type {import("playwright").Browser} */ browser, /** @type {string} */ url) {
  const page = await browser.newPage()
  page.setDefaultTimeout(PAGE_TIMEOUT_MS)
  const complaints = /** @type {string[]} */ ([])
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  await page.goto(url)
  return { page, complaints }
}

/** Waits until a page shows the users with these names. */
function users(/** @type {import("playwright").Page} */ page, /** @type {string[]} */ ...names) {
  return page.waitForFunction(
    (names) => [...document.querySelectorAll("li")].map((item) => item.textContent).join() === names,
    names.join(),
  )
}

function holds(/** @type {string} */ what) {
  console.log(`ok: ${what}`)
}

/** Edits a file as an editor does, and waits until the page shows it. */
async function edit(
  /** @type {import("playwright").Page} */ page,
  /** @type {string} */ file,
  /** @type {(text: string) => string} */ change,
  /** @type {string} */ title,
) {
  await writeFile(file, change(await readFile(file, "utf8")))
  await page.waitForFunction((title) => document.querySelector("h1")?.textContent === title, title)
}

/** Three edits, one of which React answers by mounting the component anew. */
async function threeEdits(/** @type {import("playwright").Page} */ page, /** @type {string} */ file) {
  await edit(page, file, (text) => text.replace("TITLE", "One"), "One")
  await edit(
    page,
    file,
    (text) => text.replace("  const room =", "  useState(0)\n  const room =").replace(">One<", ">Two<"),
    "Two",
  )
  await edit(page, file, (text) => text.replace(">Two<", ">Three<"), "Three")
  await users(page, "Ada", "Me")
}

async function tryVite(/** @type {string} */ tarball, /** @type {import("playwright").Browser} */ browser) {
  const { server, url, seen } = await startServer()
  const project = await makeProject("vite", viteFiles(url), [
    tarball,
    "react",
    "react-dom",
    "vite",
    "@vitejs/plugin-react",
  ])
  const address = await startDevServer(project, ["vite"])
  const { page, complaints } = await openPage(browser, address)
  await users(page, "Ada", "Me")
  await threeEdits(page, join(project, "Room.jsx"))
  assert.deepEqual([seen.sockets, seen.joins], [1, ["rooms:1"]])
  assert.deepEqual(seen.changes, ["join me"])
  assert.deepEqual(complaints, [])
  holds("Vite: three edits leave one socket and one join, and others see nothing of them; no warning")
  await page.close()

  for (let at = 0; at < USERS; at += 1) {
    server.presence.track({ topic: "rooms:big", pid: `p${at}` }, `u${at}`, { name: `user ${at}`, at: 0 })
  }
  const big = await openPage(browser, `${address}/#big`)
  await big.page.waitForFunction(
    (size) => document.querySelector("#size")?.getAttribute("data-size") === size,
    `${USERS + 1}`,
  )
  let changes = 0
  const begun = performance.now()
  const timer = setInterval(() => {
    while (changes < ((performance.now() - begun) / 1000) * CHANGES_PER_SECOND) {
      const at = (changes * 7919) % USERS
      changes += 1
      server.presence.update({ topic: "rooms:big", pid: `p${at}` }, `u${at}`, { name: `user ${at}`, at: changes })
    }
  }, 10)
  await big.page.evaluate(() => {
    const tasks = /** @type {number[]} */ ([])
    Object.assign(globalThis, { tasks })
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    })
  })
  await big.page.hover("#list")
  for (let times = 0; times < SCROLLS; times += 1) {
    await big.page.mouse.wheel(0, 1200)
    await big.page.waitForTimeout(50)
  }
  const seconds = (performance.now() - begun) / 1000
  clearInterval(timer)
  const rows = await big.page.locator("#size > div").allInnerTexts()
  assert.ok(rows.length > 0 && rows.length <= 40, `expected at most 40 rows, got ${rows.length}`)
  const tasks = await big.page.evaluate(
    () => /** @type {{ tasks: number[] }} */ (/** @type {unknown} */ (globalThis)).tasks,
  )
  assert.deepEqual(big.complaints, [])
  holds(
    `a room of ${USERS} scrolls through a window of 40 during ${changes} changes in ${seconds.toFixed(1)} s: ` +
      `${tasks.length} tasks above 50 ms${tasks.length > 0 ? `, the longest ${Math.max(...tasks)} ms` : ""}`,
  )
  await big.page.close()
  const built = await run(join(project, "node_modules/.bin/vite"), ["build"], { cwd: project })
  assert.equal(/warn/i.test(built.stdout + built.stderr), false, built.stdout + built.stderr)
  holds("Vite: builds without a warning")
}

async function tryNext(/** @type {string} */ tarball, /** @type {import("playwright").Browser} */ browser) {
  const { url, seen } = await startServer()
  const project = await makeProject("next", nextFiles(url), [tarball, "react", "react-dom", "next"])
  const address = await startDevServer(project, ["next", "dev", "--port", "0", "--hostname", "127.0.0.1"])
  const html = await (await fetch(address)).text()
  assert.match(html, /<li>Ada<\/li>/)
  assert.equal(seen.sockets, 0)
  holds("Next: the server renders the initial users, and connects to nothing")
  const { page, complaints } = await openPage(browser, address)
  await users(page, "Ada", "Me")
  assert.deepEqual([seen.sockets, seen.joins], [1, ["rooms:1"]])
  await page.click("text=other")
  await users(page, "Me")
  await page.click("text=back")
  await users(page, "Ada", "Me")
  assert.deepEqual([seen.sockets, seen.joins], [1, ["rooms:1", "rooms:2", "rooms:1"]])
  assert.deepEqual(seen.changes, ["join me", "leave me", "join me"])
  holds("Next: hydrates, and goes to another page and back, over one socket; no ghost")
  await threeEdits(page, join(project, "app/room.jsx"))
  assert.deepEqual([seen.sockets, seen.joins.length], [1, 3])
  assert.deepEqual(complaints, [])
  holds("Next: three edits leave one socket and one join; no warning")
  await page.goto(`${address}/waiting`)
  await page.waitForFunction(() => document.querySelector("#waited")?.textContent === "ada me")
  assert.deepEqual([seen.sockets, seen.joins.length], [2, 4])
  assert.deepEqual(complaints, [])
  holds("Next: a component that waits for room.ready hydrates without a Suspense around it; no warning")
  const built = await run(join(project, "node_modules/.bin/next"), ["build"], { cwd: project })
  assert.equal(/warn/i.test(built.stdout + built.stderr), false, built.stdout + built.stderr)
  holds("Next: builds without a warning")
}
