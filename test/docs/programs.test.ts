/** The programs of the pages for beginners run as a reader copies them, in a project of its own. */
import { spawn } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { WebSocket } from "ws"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { connect } from "../../src/client/index.ts"
import type { Connection } from "../../src/client/index.ts"
import { consumer } from "../package/consumer.js"
import { freePort } from "../support/free-port.js"
import { blocksOf } from "./blocks.ts"

const programs = async (page: string): Promise<string[]> =>
  (await blocksOf(page)).filter(({ language }) => language === "js").map(({ text }) => text)
const [startServer, bot] = (await programs("docs/start.md")) as [string, string]
const [skillServer] = (await programs("SKILL.md")) as [string]
const recipes = await programs("docs/recipes.md")
const withListen = (part: string): string =>
  recipes.find((text) => text.includes(part) && text.includes("server.listen"))!
const onlineServer = withListen("watchKeys")
const signIn = withListen("/login")

let project: Awaited<ReturnType<typeof consumer>>
beforeAll(async () => {
  project = await consumer(["ws", "jose"])
})
afterAll(() => project?.remove())

/** Runs a program of the project, and returns a function that resolves with its first output that matches. */
async function run(
  name: string,
  text: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<(m: RegExp) => Promise<string>> {
  await writeFile(join(project.folder, name), text)
  // Without colors, whatever the environment asks for.
  const env = { ...process.env, FORCE_COLOR: undefined, ...environment }
  const child = spawn(process.execPath, [name], { cwd: project.folder, env })
  onTestFinished(() => void child.kill("SIGKILL"))
  let output = ""
  const read = (data: Buffer): void => void (output += String(data))
  child.stdout.on("data", read)
  child.stderr.on("data", read)
  return async (pattern) => {
    await expect.poll(() => output).toMatch(pattern)
    return output
  }
}

/** Runs a server of a page on a port of its own, and returns the port once it listens. */
async function serve(name: string, text: string, environment: NodeJS.ProcessEnv = {}): Promise<number> {
  const port = await freePort()
  const program = `${text.replace("4000", String(port))}\nconsole.log("is ready")`
  await (
    await run(name, program, environment)
  )(/is ready/)
  return port
}

function client(url: string, options: Parameters<typeof connect>[1]): Connection {
  const connection = connect(url, { transport: WebSocket, ...options })
  onTestFinished(() => connection.disconnect())
  return connection
}

test("the server and the bot of docs/start.md meet a client", async () => {
  const port = await serve("server.mjs", startServer)
  const url = `ws://localhost:${port}/socket`
  const room = client(url, { params: { userId: "ada" } }).room<{ name: string }>("rooms:lobby", { me: { name: "Ada" } })
  await room.ready
  const printed = await run("bot.mjs", bot.replace("4000", String(port)))
  expect(await printed(/\]\n/)).toBe("[ 'Ada', 'Bot' ]\n")
})

test("the server of SKILL.md shows what a client says of itself, and relays its events", async () => {
  const url = `ws://localhost:${await serve("skill.mjs", skillServer)}/socket`
  const enter = async (userId: string) => {
    const room = client(url, { params: { userId } }).room<{ name: string }>("rooms:lobby", { me: { name: userId } })
    await room.ready
    return room
  }
  const [ada, bob] = [await enter("ada"), await enter("bob")]
  const received = new Promise((resolve) => void bob.on("chat", resolve))
  await ada.broadcast("chat", { text: "hi" })
  expect(await received).toEqual({ text: "hi", from: "ada" })
  expect(bob.list((_, { metas }) => metas[0].name)).toEqual(["ada", "bob"])
})

test("the server that is asked who is online answers for friends only", async () => {
  const port = await serve("online.mjs", onlineServer)
  const url = `ws://localhost:${port}/socket`
  const bob = client(url, { params: { userId: "bob" } }).room("rooms:1", { me: {} })
  await bob.ready
  const online = client(url, { params: { userId: "ada" } }).online(["bob", "cleo", "eve"])
  await expect
    .poll(() => Object.fromEntries(online.getSnapshot()))
    .toEqual({ bob: "online", cleo: "offline", eve: "refused" })
})

test("sign-in end to end: a password opens a connection, under the name of the account, and a logout closes it", async () => {
  const port = await serve("sign-in.mjs", signIn, { SECRET: "s".repeat(32) })
  const http = `http://localhost:${port}`
  const post = (path: string, body: Record<string, string>, cookie = ""): Promise<Response> =>
    fetch(http + path, { method: "POST", body: new URLSearchParams(body), headers: { cookie } })

  expect((await post("/login", { user: "ada", password: "wrong" })).status).toBe(401)
  expect((await post("/login", { user: "nobody", password: "lovelace" })).status).toBe(401)
  expect((await fetch(`${http}/token`)).status).toBe(401)
  const login = await post("/login", { user: "ada", password: "lovelace" })
  expect(login.status).toBe(204)
  const cookie = login.headers.get("set-cookie")!.split(";")[0]!

  const authToken = async (): Promise<string> => {
    const response = await fetch(`${http}/token`, { headers: { cookie } })
    return response.ok ? response.text() : "signed-out"
  }
  const connection = client(`ws://localhost:${port}/socket`, { authToken })
  const room = connection.room<{ name: string }>("rooms:lobby", { me: { name: "Eve" } })
  await room.ready
  expect(room.list((key, { metas }) => [key, metas[0].name])).toEqual([["u1", "Ada"]])
  await expect(connection.room("rooms:secret", { me: {} }).joined).rejects.toMatchObject({ code: "join_rejected" })

  await post("/logout", {}, cookie)
  await expect.poll(() => connection.reason).toEqual({ code: "refused", detail: "token_invalid" })
})
