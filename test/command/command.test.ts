import { createServer as createTcpServer } from "node:net"
import type { AddressInfo } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import type { Page } from "playwright"
import { tokens } from "../../src/server/index.ts"
import { manifest } from "../package/consumer.js"
import { startChromium } from "../support/chromium.ts"
import { natsServer, redisServer } from "../support/engine.js"
import { disconnectAll, officialSocket, Presence, reply } from "../support/phoenix-client.ts"
import { WireSocket } from "../support/wire-socket.ts"
import { byAddress, installCommand, listenByCommand, runCommand } from "./running-command.ts"
import type { Installation } from "./running-command.ts"

let installed: Installation
let bare: Installation

beforeAll(async () => {
  installed = await installCommand(["ws", "redis", "@nats-io/transport-node", "prom-client", "jose"])
  bare = await installCommand([])
})
afterAll(() => Promise.all([installed.remove(), bare.remove()]))
afterEach(disconnectAll)

/** Joins a topic with the official client. Returns its channel, and the names that it sees there, by key. */
async function enter({ url }: { url: string }, topic: string, userId: string, me: object = { name: userId }) {
  const channel = officialSocket(url, { userId }).channel(topic, { me })
  const presence = new Presence(channel)
  const { status } = await reply(channel.join())
  expect(status).toBe("ok")
  const users = () => Object.fromEntries(presence.list((key: string, { metas }: any) => [key, metas[0].name]))
  return { channel, users }
}

/** The last lines of an error's text: one line, and nothing of Node. */
const oneLine = (text: string): string => {
  expect(text).toMatch(/^rollcall: [^\n]+\n$/)
  return text
}

async function usedPort(): Promise<string> {
  const server = createTcpServer().listen(0, "127.0.0.1")
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once("listening", resolve))
  return String((server.address() as AddressInfo).port)
}

describe("without a file", () => {
  test.for(["rooms:lobby", "room:1", "anything"])("users of phoenix.js meet in %s", async (topic) => {
    const command = await listenByCommand(installed)
    const ada = await enter(command, topic, "ada")
    const bob = await enter(command, topic, "bob")
    for (const { users } of [ada, bob]) await expect.poll(users).toEqual({ ada: "ada", bob: "bob" })
  })

  test("a user changes what it says of itself, and sends events of any name to the others", async () => {
    const command = await listenByCommand(installed)
    const ada = await enter(command, "rooms:1", "ada")
    const bob = await enter(command, "rooms:1", "bob")
    const heard = new Promise((resolve) => bob.channel.on("constructor", resolve))
    expect(await reply(ada.channel.push("presence_update", { meta: { name: "Ada" } }))).toMatchObject({ status: "ok" })
    await expect.poll(bob.users).toEqual({ ada: "Ada", bob: "bob" })
    await reply(ada.channel.push("constructor", { x: 1, from: "bob" }))
    expect(await heard).toEqual({ x: 1, from: "ada" })
  })

  test.for(["presence_diff", "presence_state", "phx_close"])("no user can send %s to the others", async (event) => {
    const command = await listenByCommand(installed)
    const { channel } = await enter(command, "rooms:1", "ada")
    expect(await reply(channel.push(event, {}))).toMatchObject({ response: { reason: "reserved_event" } })
  })

  test("what a user says of itself has a bound", async () => {
    const command = await listenByCommand(installed)
    const channel = officialSocket(command.url).channel("rooms:1", { me: { name: "x".repeat(3_000) } })
    expect(await reply(channel.join())).toMatchObject({ status: "error", response: { reason: "meta_too_large" } })
  })

  test("users without a name are guests, each of its own", async () => {
    const command = await listenByCommand(installed)
    const names = async () => {
      const { users } = await enter(command, "rooms:1", "", { name: "Guest" })
      return users
    }
    const [one] = [await names(), await names()]
    await expect.poll(() => Object.keys(one())).toHaveLength(2)
    expect(Object.keys(one()).every((key) => /^guest-.{20}/.test(key))).toBe(true)
  })

  test("it says where to look, and that it is open to all", async () => {
    const command = await listenByCommand(installed, ["--operations"])
    const output = command.printed()
    expect(output).toMatch(/Open to all: .* development only/)
    expect(output).toContain(`ws://localhost:${command.port}/socket`)
    expect(output).toContain("Only this machine")
    const [, metrics = ""] = /(http:\S+\/metrics)/.exec(output) ?? []
    const [, health = ""] = /(http:\S+\/health)/.exec(output) ?? []
    const [, page = ""] = /page +(\S+)/.exec(output) ?? []
    expect(await (await fetch(metrics)).text()).toContain("rollcall_connections")
    expect((await fetch(health)).status).toBe(200)
    expect(await (await fetch(byAddress(page))).text()).toContain("Who is here")
  })

  test("a page of another host may connect only if --origin allows it", async () => {
    const refusal = async (args: readonly string[], origin: string) => {
      const { port } = await listenByCommand(installed, args)
      const socket = new WireSocket(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0`, { origin })
      onTestFinished(() => void socket.raw.destroy())
      return JSON.stringify(await socket.inbox.next())
    }
    const opened = await refusal([], "http://127.0.0.1:5173")
    expect(await refusal(["--origin", "https://a.example", "--origin=https://b.example"], "https://b.example")).toBe(
      opened,
    )
    expect(await refusal(["--origin", "*"], "https://c.example")).toBe(opened)
    expect(await refusal([], "https://b.example")).not.toBe(opened)
    expect(await refusal(["--origin", "https://a.example"], "https://b.example")).not.toBe(opened)
  })
})

describe("the page for trying", () => {
  test("shows who is in the room of its address, names as text, and complains about nothing", async () => {
    const { url } = await listenByCommand(installed)
    const browser = await startChromium()
    onTestFinished(() => browser.close())
    const [one, two, other] = [await browser.newPage(), await browser.newPage(), await browser.newPage()]
    const complaints: string[] = []
    one.on("console", (message) => void complaints.push(message.text()))
    one.on("pageerror", (error) => void complaints.push(String(error)))
    await one.goto(`${url}/?room=rooms:blue`)
    await two.goto(`${url}/?room=rooms:blue`)
    await other.goto(url)
    await one.getByLabel("Your name").fill("<b>Ada</b>")
    await one.getByRole("button", { name: "Rename" }).click()
    const users = async (page: Page) =>
      (await page.locator("#users li").allTextContents()).map((text) => text.replace(/\d+/, "n"))
    await expect.poll(() => users(one)).toEqual(expect.arrayContaining(["<b>Ada</b> (you)", "Guest n"]))
    await expect.poll(() => users(two)).toEqual(expect.arrayContaining(["<b>Ada</b>", "Guest n (you)"]))
    await expect.poll(() => users(other)).toEqual(["Guest n (you)"])
    expect(await one.getByRole("status").textContent()).toBe("live")
    const inspector = one.locator("rollcall-inspector")
    expect(await inspector.count()).toBe(0)
    await one.getByRole("button", { name: "Inspect" }).click()
    await inspector.getByText("rooms:blue").first().waitFor()
    expect(complaints).toEqual([])
  })

  test("is left out by --no-page, with a secret, and with a file", async () => {
    await installed.write("empty.mjs", "export default () => {}")
    const secret = { ROLLCALL_SECRET: "s".repeat(32) }
    for (const [args, env] of [[["--no-page"]], [[], secret], [["empty.mjs"]]] as [
      string[],
      Record<string, string>?,
    ][]) {
      const { url, printed } = await listenByCommand(installed, args, env)
      expect((await fetch(url)).status).toBe(404)
      expect(printed()).not.toContain(" page ")
    }
  })

  test("serves its own files only, by GET", async () => {
    const { url } = await listenByCommand(installed)
    const get = async (path: string, method = "GET") => (await fetch(url + path, { method })).status
    expect(
      await Promise.all(["/", "/?room=a", "/who-is-here.js", "/page.css", "/rollcall.min.js"].map((path) => get(path))),
    ).toEqual(Array.from({ length: 5 }, () => 200))
    expect(await get("/modules/inspector/index.js")).toBe(200)
    expect(await get("/index.html")).toBe(404)
    for (const path of [
      "inspector/none.js",
      "../package.json",
      "..%2fpackage.json",
      "inspector/index.d.ts",
      "a/b/c.js",
    ])
      expect(await get(`/modules/${path}`)).toBe(404)
    expect(await get("/..%2fpackage.json")).toBe(404)
    expect(await get("/", "POST")).toBe(405)
    expect((await fetch(url)).headers.get("content-security-policy")).toContain("default-src 'none'")
  })
})

describe("with ROLLCALL_SECRET", () => {
  const secret = "a secret of at least 32 bytes, for tests"

  test("a client needs a token that is signed with it, and is the token's sub", async () => {
    const command = await listenByCommand(installed, [], { ROLLCALL_SECRET: secret })
    expect(command.printed()).toContain("need a token")
    expect(command.printed()).not.toContain("Open to all")
    const { sign } = await tokens({ secret })
    const channel = officialSocket(command.url, { token: await sign({ sub: "ada" }), userId: "bob" }).channel("rooms:1")
    const presence = new Presence(channel)
    await reply(channel.join())
    await expect.poll(() => presence.list((key: string) => key)).toEqual(["ada"])
  })

  test.for(["none", "forged", "without a sub"])("a client with a token that is %s is refused", async (kind) => {
    const { url } = await listenByCommand(installed, [], { ROLLCALL_SECRET: secret })
    const { sign } = await tokens({ secret: kind === "forged" ? secret.toUpperCase() : secret })
    const token = kind === "none" ? {} : { token: await sign(kind === "forged" ? { sub: "ada" } : {}) }
    const socket = officialSocket(url, { userId: "ada", ...token })
    await new Promise((resolve) => socket.onError(resolve))
    expect(socket.isConnected()).toBe(false)
  })

  test.for(["", "short"])("a secret that is %j is refused, and not printed", async (value) => {
    const command = runCommand(installed, [], { ROLLCALL_SECRET: value })
    expect(await command.ended).toBe(2)
    expect(oneLine(command.complained())).toContain("expected ROLLCALL_SECRET to have at least 32 bytes")
    expect(command.complained()).not.toContain("short")
  })
})

describe("with a file", () => {
  test("its channels are served, and those of the command are not", async () => {
    await installed.write(
      "teams.mjs",
      `import { relay } from "rollcall/server"
      export const options = { maxMetaBytes: 50 }
      export const request = (request, response) => response.end("own page")
      export default async (server) => {
        await null
        server.channel("teams:*", {
          join: () => ({ ok: {} }),
          presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
          on: { cursor: relay() },
        })
      }`,
    )
    const command = await listenByCommand(installed, ["teams.mjs"])
    const { users } = await enter(command, "teams:1", "ada")
    await expect.poll(users).toEqual({ ada: "ada" })
    const join = (topic: string, me: object) => reply(officialSocket(command.url).channel(topic, { me }).join())
    expect(await join("rooms:1", {})).toMatchObject({ status: "error" })
    expect(await join("teams:1", { name: "x".repeat(60) })).toMatchObject({ response: { reason: "meta_too_large" } })
    expect(await (await fetch(command.url)).text()).toBe("own page")
    expect(command.printed()).toMatch(/rooms +teams:\*/)
    expect(command.printed()).toContain("Open to all: everybody who reaches this port may connect")
  })

  test("its sockets are served in the place of the command's, with the pages of --origin", async () => {
    await installed.write(
      "own.cjs",
      `class Handlers { user = "own"; connect() { return { userId: this.user } } }
      module.exports = (server) => {
        server.socket("/live", new Handlers())
        server.channel("a:b", { join: () => ({ ok: {} }), presence: ({ assigns }) => ({ key: assigns.userId }) })
      }`,
    )
    const command = await listenByCommand(installed, ["own.cjs", "--origin", "https://a.example"])
    expect(command.printed()).toContain(`ws://localhost:${command.port}/live`)
    expect(command.printed()).not.toContain("Open to all")
    const open = async (path: string, origin: string) => {
      const socket = new WireSocket(`ws://127.0.0.1:${command.port}/${path}/websocket?vsn=2.0.0`, { origin })
      onTestFinished(() => void socket.raw.destroy())
      return JSON.stringify(await socket.inbox.next())
    }
    const opened = await open("live", "https://a.example")
    expect(opened).toContain("open")
    expect(await open("live", "http://127.0.0.1")).not.toBe(opened)
    expect(await open("socket", "https://a.example")).not.toBe(opened)
  })

  test("a file that adds no channel is named as such", async () => {
    await installed.write("nothing.mjs", "export default () => {}")
    const { printed } = await listenByCommand(installed, ["nothing.mjs"])
    expect(printed()).toContain("the file adds no channel, so every join is refused")
  })

  test.for([
    ["a file that is not there", undefined, /expected a file with handlers at broken\.mjs, got none there/],
    [
      "a file without a default export",
      "export const a = 1",
      /expected broken\.mjs to export a function .* got nothing/,
    ],
    [
      "a file that never resolves",
      "export default () => new Promise(() => {})",
      /expected broken\.mjs to finish adding/,
    ],
    ["a file that listens", "export default (s) => s.listen(0)", /got one that calls server\.listen/],
    ["a wrong pattern", `export default (s) => s.channel("a:*:b", { join() {} })`, /expected a topic, or a prefix/],
  ] as const)("%s is one line, and exit code 1", async ([, text, message]) => {
    const folder = await installCommand(["ws"])
    onTestFinished(folder.remove)
    if (text !== undefined) await folder.write("broken.mjs", text)
    const command = runCommand(folder, ["broken.mjs"])
    expect(await command.ended).toBe(1)
    expect(oneLine(command.complained())).toMatch(message)
  })

  test.for([
    ["handlers.ts", /expected JavaScript that Node \S+ runs, got handlers\.ts: compile it/],
    ["handlers.json", /expected JavaScript .* got handlers\.json: name it handlers\.mjs/],
    [".", /expected a file with handlers at \., got something that is no file/],
  ] as const)("%s is no file with handlers, in one line", async ([name, message]) => {
    const folder = await installCommand(["ws"])
    onTestFinished(folder.remove)
    // Enumerations are what no version of Node runs.
    if (name !== ".") await folder.write(name, "enum Kind { A }\nexport default () => {}")
    const command = runCommand(folder, ["--port", "0", name])
    expect(await command.ended).toBe(1)
    expect(command.complained()).toMatch(
      "typescript" in process.features && process.features["typescript"] && name === "handlers.ts" ? /enum/ : message,
    )
    expect(command.complained()).not.toContain("node:internal")
  })

  test("a file that was compiled from an ES module to CommonJS is one with a default export and options", async () => {
    await installed.write(
      "compiled.cjs",
      `Object.defineProperty(exports, "__esModule", { value: true })
      exports.options = { maxMetaBytes: 50 }
      exports.default = (server) => server.channel("teams:*", { join: () => ({ ok: {} }), presence: () => ({ key: "a" }) })`,
    )
    const command = await listenByCommand(installed, ["compiled.cjs"])
    const join = (me: object) => reply(officialSocket(command.url).channel("teams:1", { me }).join())
    expect(await join({})).toMatchObject({ status: "ok" })
  })

  test("an error that the file throws is shown with its place in the file", async () => {
    await installed.write(
      "throws.mjs",
      `setInterval(() => {}, 1000)\nexport default async () => { throw new TypeError("oops") }`,
    )
    const command = runCommand(installed, ["throws.mjs"])
    expect(await command.ended).toBe(1)
    expect(command.complained()).toMatch(/throws\.mjs failed: TypeError: oops\n.*throws\.mjs:2:\d+\)\n$/)
  })
})

describe("several nodes", () => {
  test.for([
    ["Redis", redisServer],
    ["NATS", natsServer],
  ] as const)("show each other's users over %s", async ([, engine]) => {
    const bus = await engine()
    await bus.start()
    onTestFinished(bus.kill)
    const [one, two] = await Promise.all([
      listenByCommand(installed, ["--pubsub", bus.url]),
      listenByCommand(installed, [], { ROLLCALL_PUBSUB: bus.url }),
    ])
    const ada = await enter(one, "rooms:1", "ada")
    const bob = await enter(two, "rooms:1", "bob")
    for (const { users } of [ada, bob]) await expect.poll(users).toEqual({ ada: "ada", bob: "bob" })
  })

  const writePids = () =>
    installed.write(
      "pids.mjs",
      `export default (server) => server.channel("*", {
        join: () => ({ ok: { pid: process.pid } }),
        presence: ({ assigns }) => ({ key: assigns.userId, meta: { name: assigns.userId } }),
      })`,
    )

  test("--workers serves one port by several processes, with one greeting, and a file in each", async () => {
    await writePids()
    const command = await listenByCommand(installed, ["pids.mjs", "--workers", "2"])
    expect(command.printed().match(/listens on/g)).toHaveLength(1)
    const ada = await enter(command, "rooms:1", "ada")
    const pids = new Set<number>()
    for (let at = 0; pids.size < 2; at += 1) {
      const socket = officialSocket(command.url, { userId: `u${at}` })
      pids.add((await reply(socket.channel("rooms:1").join())).response.pid)
    }
    expect(pids.has(command.pid)).toBe(false)
    await expect.poll(() => Object.keys(ada.users()).length).toBeGreaterThan(2)
  })

  test("a worker that is killed is replaced, and its clients are served by another", async () => {
    await writePids()
    const command = await listenByCommand(installed, ["pids.mjs", "--workers", "1"])
    const join = officialSocket(command.url, { userId: "ada" }).channel("rooms:1").join()
    const pids: number[] = []
    // At each join: the official client joins again after it has reconnected.
    join.receive("ok", ({ pid }: { pid: number }) => void pids.push(pid))
    await expect.poll(() => pids.length).toBeGreaterThan(0)
    const killed = pids.at(-1)!
    process.kill(killed, "SIGKILL")
    await expect.poll(() => pids.at(-1)).not.toBe(killed)
  })

  test("no worker survives a command that is killed", async () => {
    const command = await listenByCommand(installed, ["--workers", "2"])
    command.kill("SIGKILL")
    expect(await command.ended).toBe("SIGKILL")
    await expect
      .poll(() =>
        fetch(command.url).then(
          () => "answers",
          () => "closed",
        ),
      )
      .toBe("closed")
  })
})

describe("at a signal", () => {
  test.for([
    ["SIGTERM", []],
    ["SIGINT", []],
    ["SIGHUP", []],
    ["SIGTERM", ["--workers", "2"]],
  ] as const)(
    "%s with %j, clients are closed with 1012, and the command ends by the signal",
    async ([signal, args]) => {
      const command = await listenByCommand(installed, args)
      const socket = new WireSocket(`ws://127.0.0.1:${command.port}/socket/websocket?vsn=2.0.0`)
      onTestFinished(() => void socket.raw.destroy())
      await socket.inbox.next()
      command.kill(signal)
      expect(await socket.inbox.next()).toMatchObject({ event: "close", code: 1012 })
      expect(await command.ended).toBe(signal)
      await expect(fetch(command.url)).rejects.toThrow("fetch failed")
    },
  )
})

describe("what cannot be started is one line, and exit code 1:", () => {
  test.for([[], ["--workers", "2"]])("a port that is in use, with %j", async (args) => {
    const port = await usedPort()
    const command = runCommand(installed, ["--port", port, ...args])
    expect(await command.ended).toBe(1)
    expect(oneLine(command.complained())).toContain(`expected port ${port} to be free`)
    expect(command.printed()).toBe("")
  })

  test.for(["redis", "nats"])("a %s server that does not answer, whose password is not printed", async (scheme) => {
    const command = runCommand(installed, ["--port", "0", "--pubsub", `${scheme}://user:hunter2@127.0.0.1:1`])
    expect(await command.ended).toBe(1)
    expect(oneLine(command.complained())).toMatch(/expected a (Redis|NATS) server that accepts this node/)
    expect(command.complained()).not.toContain("hunter2")
  })

  test.for([
    [[], {}, ["ws"]],
    [["--pubsub", "redis://localhost"], {}, ["ws", "redis"]],
    [["--pubsub", "nats://localhost", "--operations"], {}, ["ws", "@nats-io/transport-node", "prom-client"]],
    [[], { ROLLCALL_SECRET: "s".repeat(32) }, ["ws", "jose"]],
  ] as const)("packages that are missing, with %j %j", async ([args, env, missing]) => {
    const command = runCommand(bare, args, env)
    expect(await command.ended).toBe(1)
    expect(oneLine(command.complained())).toContain(`npm install rollcall ${missing.join(" ")},`)
  })

  test.for([
    [["--host", "192.0.2.1"], "192.0.2.1"],
    [["--host", "192.0.2.1", "--workers", "2"], "192.0.2.1"],
    [["--host", "http://localhost"], "http://localhost"],
    [["--operations", "192.0.2.1:0"], "192.0.2.1"],
  ] as const)("an address that is not of this machine, with %j", async ([args, address]) => {
    const command = runCommand(installed, ["--port", "0", ...args])
    expect(await command.ended).toBe(1)
    expect(oneLine(command.complained())).toContain(
      `expected host to be an address or a name of this machine, got "${address}"`,
    )
  })
})

test("a server whose output nobody reads any more goes on", async () => {
  await installed.write(
    "prints.mjs",
    `export default (server) => server.channel("*", { join: () => (console.log("x".repeat(100_000)), { ok: {} }) })`,
  )
  const command = await listenByCommand(installed, ["prints.mjs"])
  command.stopReading()
  // Two joins: the pipe breaks with the first one.
  for (const topic of ["a", "b"]) {
    expect(await reply(officialSocket(command.url).channel(topic).join())).toMatchObject({ status: "ok" })
  }
})

describe("the texts", () => {
  test("--version prints the version of the package, also where ws is missing", async () => {
    const command = runCommand(bare, ["--version"])
    expect([await command.ended, command.printed()]).toEqual([0, `${manifest.version}\n`])
  })

  test("--help explains every option, the variables, and what a file exports, and starts nothing", async () => {
    const command = runCommand(bare, ["--help", "--port", "0"])
    expect(await command.ended).toBe(0)
    const options = ["port", "host", "origin", "no-page", "workers", "pubsub", "operations", "help", "version"]
    for (const word of [...options.map((name) => `--${name}`), "ROLLCALL_SECRET", "ROLLCALL_PUBSUB", "PORT"]) {
      expect(command.printed()).toMatch(new RegExp(`^  ${word}\\b.* {2,}\\S`, "m"))
    }
    expect(command.printed()).toContain("export default (server) =>")
    expect(
      Math.max(
        ...command
          .printed()
          .split("\n")
          .map(({ length }) => length),
      ),
    ).toBeLessThanOrEqual(130)
  })

  test("a wrong argument is one line, and exit code 2", async () => {
    const command = runCommand(bare, ["--prot", "4000"])
    expect(await command.ended).toBe(2)
    expect(oneLine(command.complained())).toContain(`got "--prot": did you mean --port?`)
  })
})
