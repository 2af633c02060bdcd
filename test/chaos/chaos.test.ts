import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { expect, onTestFinished, test } from "vitest"
import { problemsOf } from "./crowd.js"
import { Link } from "./link.js"

// The chaos must be able to fail: here is what it looks at, and what it breaks.

const ADA = { kind: "phoenix.js", name: "ada", room: "rooms:1", isIn: true, status: "here", isJoined: true }
const BOB = { ...ADA, kind: "rollcall", name: "bob", status: "away" }
const seeing = (user: typeof ADA, view: string) => ({ ...user, connection: "open", view })

test("clients that see exactly who is there, with the last statuses, are no problem", () => {
  const view = "ada:here bob:away"
  const elsewhere = seeing({ ...ADA, name: "cy", room: "rooms:2" }, "cy:here")
  const gone = seeing({ ...ADA, name: "dan", isIn: false, isJoined: false }, "")
  expect(problemsOf([seeing(ADA, view), seeing(BOB, view), elsewhere, gone])).toEqual([])
})

test.for([
  ["a ghost", "ada:here bob:away dan:here", "saw dan:here; true was nothing more"],
  ["a missing user", "ada:here", "saw nothing more; true was bob:away"],
  ["an old status", "ada:here bob:here", "saw bob:here; true was bob:away"],
  ["a device twice", "ada:here bob:away+away", "saw bob:away+away; true was bob:away"],
] as const)("%s in one client's view is a problem", ([, view, problem]) => {
  const problems = problemsOf([seeing(ADA, view), seeing(BOB, "ada:here bob:away")])
  expect(problems).toEqual([`phoenix.js client ada in rooms:1 (open) ${problem}`])
})

test("a user with two devices is there with both statuses", () => {
  const view = "ada:away+here"
  expect(problemsOf([seeing(ADA, view), seeing({ ...ADA, status: "away" }, view)])).toEqual([])
})

test("a client that is not connected is a problem, and is named first", () => {
  const problems = problemsOf([seeing(ADA, "ada:here"), seeing({ ...BOB, isJoined: false }, "")])
  expect(problems[0]).toBe("rollcall client bob in rooms:1 (open) is not connected")
  expect(problems).toHaveLength(2)
})

/** A link to a server that answers each chunk with the same bytes, and a connection through it. */
async function echo(): Promise<{ link: Link; socket: Socket; arrived: () => string; targets: Socket[] }> {
  const targets: Socket[] = []
  const server = createServer((socket) => {
    targets.push(socket)
    socket.on("error", () => undefined)
    socket.write("hello ")
    socket.on("data", (chunk) => socket.write(chunk))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const link = new Link(() => ({ name: "n1", port }))
  const socket = connect(await link.open(), "127.0.0.1")
  let text = ""
  socket.on("data", (chunk) => (text += String(chunk))).on("error", () => undefined)
  onTestFinished(() => {
    link.close()
    socket.destroy()
    server.close()
  })
  await expect.poll(() => text).toBe("hello ")
  return { link, socket, arrived: () => text, targets }
}

test("a link delays chunks and keeps their order, also when the delay becomes shorter", async () => {
  const { link, socket, arrived } = await echo()
  link.delayMs = 150
  socket.write("a")
  await new Promise((resolve) => setTimeout(resolve, 20))
  link.delayMs = 0
  socket.write("b")
  socket.write("c")
  await expect.poll(arrived).toBe("hello abc")
})

test("a half-open link swallows one direction and its end, and a new connection works", async () => {
  const { link, socket, arrived, targets } = await echo()
  link.swallow("up", "n1")
  socket.write("lost")
  targets[0]?.write("down")
  await expect.poll(arrived).toBe("hello down")
  socket.end()
  await expect.poll(() => socket.destroyed || socket.writableFinished).toBe(true)
  expect(targets[0]?.readableEnded).toBe(false)
  link.reset()
  await expect.poll(() => targets[0]?.destroyed).toBe(true)
})
