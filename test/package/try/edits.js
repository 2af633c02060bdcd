/**
 * Two React projects that are edited while their page is open, as a developer does, against a server that counts sockets and joins: one
 * with Vite, which also scrolls through a room of 10 000, and one with Next, which also goes from page to page.
 */
import assert from "node:assert/strict"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { WebSocket } from "ws"
import { connect } from "../../../dist/client/index.js"
import { createServer } from "../../../dist/server/index.js"
import { openPage } from "./people.js"
import { run } from "./project.js"
import { nextFiles, viteFiles } from "./react-projects.js"

const USERS = 10_000
const CHANGES_PER_SECOND = 100
const SCROLLS = 100

/** @typedef {import("./project.js").Project} Project */
/** @typedef {import("playwright").Browser} Browser */

/** Starts a server, with what it has seen of the page's user, and another user. */
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
  const room = ada.room("rooms:1", { me: { name: "Ada" } })
  await room.ready
  room.onChange((changes) => void seen.changes.push(...changes.map(({ type, key }) => `${type} ${key}`)))
  const close = async () => {
    ada.disconnect()
    await server.close()
  }
  return { server, url, seen, close }
}

async function writeFiles(/** @type {Project} */ { folder }, /** @type {Record<string, string>} */ files) {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

/** Waits until a page shows the users with these names. */
function users(/** @type {import("playwright").Page} */ page, /** @type {string[]} */ ...names) {
  return page.waitForFunction(
    (names) => [...document.querySelectorAll("li")].map((item) => item.textContent).join() === names,
    names.join(),
  )
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

/** Builds a project, and checks that this prints no warning. */
async function buildsWithoutWarning(/** @type {Project} */ { folder }, /** @type {string} */ program) {
  const printed = await run(join(folder, "node_modules/.bin", program), ["build"], { cwd: folder })
  assert.doesNotMatch(printed, /warn/i, printed)
}

/** Edits leave one socket and one join, and others see nothing of them. */
export async function tryViteEdits(/** @type {Project} */ project, /** @type {Browser} */ browser) {
  const { server, url, seen, close } = await startServer()
  try {
    await writeFiles(project, viteFiles(url))
    const address = await project.serve(join(project.folder, "node_modules/.bin/vite"), [])
    const { page, complaints, close: leave } = await openPage(browser, address)
    await users(page, "Ada", "Me")
    await threeEdits(page, join(project.folder, "Room.jsx"))
    assert.deepEqual([seen.sockets, seen.joins], [1, ["rooms:1"]])
    assert.deepEqual(seen.changes, ["join me"])
    assert.deepEqual(complaints, [])
    await leave()
    const scrolled = await scrollThroughMany(server, browser, `${address}/#big`)
    await buildsWithoutWarning(project, "vite")
    return ["three edits leave one socket and one join", scrolled]
  } finally {
    await close()
  }
}

/** Scrolls through a room of 10 000 while 100 of them change each second. */
async function scrollThroughMany(
  /** @type {import("../../../dist/server/index.js").Server} */ server,
  /** @type {Browser} */ browser,
  /** @type {string} */ address,
) {
  for (let at = 0; at < USERS; at += 1) {
    server.presence.track({ topic: "rooms:big", pid: `p${at}` }, `u${at}`, { name: `user ${at}`, at: 0 })
  }
  const big = await openPage(browser, address)
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
  await big.close()
  return (
    `a room of ${USERS} scrolls through a window of 40 during ${changes} changes in ${seconds.toFixed(1)} s: ` +
    `${tasks.length} tasks above 50 ms${tasks.length > 0 ? `, the longest ${Math.max(...tasks)} ms` : ""}`
  )
}

/** Pages and edits leave one socket and no ghost, and the server's render hydrates without a warning. */
export async function tryNextEdits(/** @type {Project} */ project, /** @type {Browser} */ browser) {
  const { url, seen, close } = await startServer()
  try {
    await writeFiles(project, nextFiles(url))
    const next = join(project.folder, "node_modules/.bin/next")
    const address = await project.serve(next, ["dev", "--port", "0", "--hostname", "127.0.0.1"])
    const html = await (await fetch(address)).text()
    assert.match(html, /<li>Ada<\/li>/)
    assert.equal(seen.sockets, 0)
    const { page, complaints, close: leave } = await openPage(browser, address)
    await users(page, "Ada", "Me")
    assert.deepEqual([seen.sockets, seen.joins], [1, ["rooms:1"]])
    await page.click("text=other")
    await users(page, "Me")
    await page.click("text=back")
    await users(page, "Ada", "Me")
    assert.deepEqual([seen.sockets, seen.joins], [1, ["rooms:1", "rooms:2", "rooms:1"]])
    assert.deepEqual(seen.changes, ["join me", "leave me", "join me"])
    await threeEdits(page, join(project.folder, "app/room.jsx"))
    assert.deepEqual([seen.sockets, seen.joins.length], [1, 3])
    await page.goto(`${address}/waiting`)
    await page.waitForFunction(() => document.querySelector("#waited")?.textContent === "ada me")
    assert.deepEqual([seen.sockets, seen.joins.length], [2, 4])
    assert.deepEqual(complaints, [])
    await leave()
    await buildsWithoutWarning(project, "next")
    return [
      "the server renders initial users and connects to nothing",
      "another page and back, and three edits, over one socket without a ghost",
      "a component that waits for room.ready",
    ]
  } finally {
    await close()
  }
}
