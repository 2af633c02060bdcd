// Starts NATS, three nodes and nginx, and ends them all with Ctrl+C. No root and no Docker needed.
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"

/** nginx, the three nodes, NATS. */
const DEFAULT_PORTS = ["8080", "4001", "4002", "4003", "4222"]
const ports = process.env.PORTS?.split(",") ?? DEFAULT_PORTS
const [front, ...others] = ports
const bus = others.pop()

const children = []
const start = (program, ...args) => {
  const env = { ...process.env, SECRET: secret }
  const child = spawn(program, args, { env, stdio: ["ignore", "inherit", "inherit"] })
  child.once("error", ({ message }) => end(`expected ${program} to be installed, got: ${message}`))
  children.push(child)
}
const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })
const ready = async (port) => {
  while (!(await answers(port))) await setTimeout(50)
}

const secret = randomBytes(32).toString("hex")
const folder = await mkdtemp(join(tmpdir(), "rollcall-nginx-"))
await chmod(folder, 0o755) // started by root, nginx drops its rights
const end = async (problem) => {
  if (problem) console.error(problem)
  for (const child of children.splice(0)) child.kill()
  await rm(folder, { recursive: true, force: true })
  process.exit(problem ? 1 : 0)
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => end())

start("nats-server", "--addr", "127.0.0.1", "--port", bus)
await ready(bus)
for (const [at, port] of others.entries())
  start(process.execPath, "node.js", `node-${at + 1}`, port, `nats://127.0.0.1:${bus}`)
await Promise.all(others.map(ready))

const config = await readFile("nginx.conf", "utf8")
const file = join(folder, "nginx.conf")
await writeFile(
  file,
  config.replace(/(?<=127\.0\.0\.1:)\d+/g, (port) => ports[DEFAULT_PORTS.indexOf(port)]),
)
start("nginx", "-p", folder, "-c", file, "-e", "stderr", "-g", "daemon off;")
await ready(front)
console.log(`listens on http://127.0.0.1:${front}`)
