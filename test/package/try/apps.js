/** What `npm run try-package` tries: each example, and two projects that are edited while they run. */
import assert from "node:assert/strict"
import { basename, join } from "node:path"
import { checkBundle } from "./bundle.js"
import { freePort } from "../../support/free-port.js"
import { tryNextEdits, tryViteEdits } from "./edits.js"
import { twoPeople } from "./people.js"
import { ensureNginx } from "./nginx.js"
import { tryVite } from "./vite.js"

/** @typedef {import("./project.js").Project} Project */
/** @typedef {import("playwright").Browser} Browser */
/** @typedef {import("playwright").Page} Page */

/**
 * An app: the folder that it is copied from, and how it is tried, which resolves to what holds.
 *
 * @typedef {{ name: string, from: string, attempt: (project: Project, browser: Browser) => Promise<string[]> }} App
 */

/** Ada types, Grace reads it, and gets the message. */
async function typing(/** @type {Page} */ ada, /** @type {Page} */ grace) {
  const field = ada.getByRole("textbox", { name: "Message" })
  await field.fill("Hello")
  await grace.getByText("Ada is typing").waitFor()
  await field.press("Enter")
  await grace.getByText("Hello").waitFor()
  await grace.getByText("Ada is typing").waitFor({ state: "detached" })
}

/** Ada moves, and Grace sees the name of Ada's cursor at the same place. */
async function cursors(/** @type {Page} */ ada, /** @type {Page} */ grace) {
  await ada.mouse.move(300, 200)
  await ada.mouse.move(400, 300)
  await grace.locator("main ~ * svg + span", { hasText: "Ada" }).waitFor()
}

/** The list names both, and marks oneself. */
async function presenceList(/** @type {Page} */ ada, /** @type {Page} */ grace) {
  await ada.getByRole("listitem").filter({ hasText: "Ada" }).filter({ hasText: "you" }).waitFor()
  await grace.getByRole("listitem").filter({ hasText: "Ada" }).waitFor()
}

/** Someone signs in by a form with a name. */
async function signIn(/** @type {Page} */ page, /** @type {string} */ name) {
  await page.getByRole("textbox", { name: "Your name" }).fill(name)
  await page.getByRole("button", { name: "Enter" }).click()
}

/** Ada signs out, and Grace no longer sees Ada; then Ada comes back, by another name. */
async function signOut(/** @type {Page} */ ada, /** @type {Page} */ grace) {
  await ada.getByRole("button", { name: "Sign out" }).click()
  await grace.locator(`[aria-label="People here"] > [title="Ada"]`).waitFor({ state: "detached" })
  await signIn(ada, "Ada")
}

/** Ada waves, and Grace reads it; Ada is busy, and Grace sees it. */
async function waving(/** @type {Page} */ ada, /** @type {Page} */ grace) {
  await ada.getByRole("button", { name: "Wave" }).click()
  await grace.getByText("Ada waves").waitFor()
  await ada.getByLabel("busy").check()
  await grace.locator(`[title="Ada"][style*="opacity: 0.4"]`).waitFor()
}

/** Serves the example by its own server, and lets two people use it. */
async function tryServer(
  /** @type {Project} */ project,
  /** @type {Browser} */ browser,
  /** @type {Parameters<typeof twoPeople>[2]} */ options = {},
) {
  const url = await project.serve(process.execPath, ["server.js"], { PORT: String(await freePort()) })
  await twoPeople(browser, url, { looks: basename(project.folder), ...options })
}

/** @type {App[]} */
export const APPS = [
  { name: "react", from: "examples/react-avatars", attempt: (...app) => tryVite(...app, { framework: "react" }) },
  {
    name: "vue",
    from: "examples/vue-typing",
    attempt: (...app) => tryVite(...app, { framework: "vue", use: typing }),
  },
  {
    name: "svelte",
    from: "examples/svelte-cursors",
    attempt: (...app) => tryVite(...app, { framework: "svelte", use: cursors }),
  },
  {
    name: "solid",
    from: "examples/solid-presence-list",
    attempt: (...app) => tryVite(...app, { framework: "solid", use: presenceList }),
  },
  { name: "vanilla", from: "examples/vanilla-avatars", attempt: (...app) => tryVite(...app) },
  {
    name: "next",
    from: "examples/next-tokens",
    async attempt(project, browser) {
      await project.script("build")
      await checkBundle(join(project.folder, ".next/static"))
      for (const mode of ["production", "development"]) {
        const url = await project.serve(process.execPath, ["server.js", mode], { PORT: String(await freePort()) })
        await twoPeople(browser, url, {
          enter: signIn,
          use: signOut,
          // In development, Next shows parts of its own.
          looks: mode === "production" ? "next" : undefined,
        })
      }
      return [
        "types",
        "build",
        "nothing of the server in the page",
        "production",
        "development",
        "sign-out",
        "six looks",
      ]
    },
  },
  {
    name: "script-tag",
    from: "examples/script-tag",
    async attempt(project, browser) {
      await tryServer(project, browser)
      return ["two people", "six looks"]
    },
  },
  {
    name: "node",
    from: "examples/node-watch",
    async attempt(project) {
      const url = await project.serve(process.execPath, ["server.js"], { PORT: String(await freePort()) })
      const SOCKET = `${url.replace("http", "ws")}/socket`
      const ada = project.start(process.execPath, ["watch.js", "Ada"], { SOCKET })
      await ada.printed(/join Ada/)
      const grace = project.start(process.execPath, ["watch.cjs", "Grace"], { SOCKET })
      await Promise.all([ada.printed(/join Grace/), grace.printed(/join Ada/)])
      assert.equal(await grace.interrupt(), 0)
      await ada.printed(/leave Grace/)
      assert.equal(await ada.interrupt(), 0)
      return ["ES modules", "CommonJS", "both end by themselves"]
    },
  },
  {
    name: "express",
    from: "examples/express-sign-in",
    async attempt(project, browser) {
      await tryServer(project, browser, { enter: signIn, use: signOut })
      return ["two people", "sign-out", "six looks"]
    },
  },
  {
    name: "phoenix",
    from: "examples/phoenix-room",
    async attempt(project, browser) {
      await tryServer(project, browser, { use: waving })
      return ["two people", "an update, and a message", "six looks"]
    },
  },
  {
    name: "nats-nginx",
    from: "examples/nats-nginx",
    async attempt(project, browser) {
      await ensureNginx()
      const ports = await Promise.all(Array.from({ length: 5 }, freePort))
      const url = await project.serve(process.execPath, ["start.js"], { PORTS: ports.join() })
      await twoPeople(browser, url, { query: "&transport=longpoll", looks: "nats-nginx" })
      return ["long poll through nginx beside a WebSocket, on three nodes", "six looks"]
    },
  },
  { name: "react-edits", from: "test/package/try/react-edits", attempt: tryViteEdits },
  { name: "next-edits", from: "test/package/try/next-edits", attempt: tryNextEdits },
]
