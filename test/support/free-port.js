import { createServer } from "node:net"

/**
 * The ports of this process: a block below those that the system gives to outgoing connections. Otherwise a connection, or a test
 * in another process, may take a port between the moment when it was found free and the start of the server.
 */
const FIRST = 10_000 + (process.pid % 220) * 100
const COUNT = 100

let next = 0

/** Returns a free port of this machine. @returns {Promise<number>} */
export async function freePort() {
  for (let tries = 0; tries < COUNT; tries += 1) {
    const port = FIRST + (next++ % COUNT)
    if (await isFree(port)) return port
  }
  throw new Error(`expected a free port from ${FIRST} on, got none`)
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false))
    probe.listen(port, () => probe.close(() => resolve(true)))
  })
}
