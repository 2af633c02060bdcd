import { createServer } from "node:net"

/** Returns a free port of this machine. @returns {Promise<number>} */
export async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, () => resolve(undefined)))
  const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address())
  await new Promise((resolve) => probe.close(resolve))
  return port
}
