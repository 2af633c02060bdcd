import { createServer } from "node:net"

/**
 * The ports are divided into blocks, below those that the system gives to outgoing connections. Each process takes a block for
 * itself. Otherwise a connection, or a test in another process, may take a port between the moment when it was found free and
 * the start of the server, or while the server is stopped. None is 10080, which browsers and `fetch` refuse.
 */
const FIRST = 10_100
const BLOCKS = 220
const SIZE = 100

/** @type {Promise<number> | undefined} */
let block
let used = 0

/** Returns a free port of this machine. @returns {Promise<number>} */
export async function freePort() {
  block ??= takeBlock()
  const first = await block
  for (let tries = 1; tries < SIZE; tries += 1) {
    const port = first + 1 + (used++ % (SIZE - 1))
    if (await listens(createServer(), port)) return port
  }
  throw new Error(`expected a free port from ${first} to ${first + SIZE - 1}, got none`)
}

/** Returns the first port of a block. This process listens on that port until it ends, so that no other one takes the block. */
async function takeBlock() {
  for (let tries = 0; tries < BLOCKS; tries += 1) {
    const first = FIRST + ((process.pid + tries) % BLOCKS) * SIZE
    const lock = createServer()
    if (await listens(lock, first, false)) {
      lock.unref()
      return first
    }
  }
  throw new Error(`expected a free block of ports from ${FIRST} on, got none`)
}

/**
 * @param {import("node:net").Server} server @param {number} port @param {boolean} andCloses
 * @returns {Promise<boolean>} whether the server could listen
 */
function listens(server, port, andCloses = true) {
  return new Promise((resolve) => {
    server.once("error", () => resolve(false))
    server.listen(port, () => (andCloses ? server.close(() => resolve(true)) : resolve(true)))
  })
}
