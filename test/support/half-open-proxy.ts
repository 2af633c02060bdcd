import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"

/** A TCP proxy whose connections can lose one direction, as behind a firewall that has forgotten them. */
export interface HalfOpenProxy {
  readonly port: number
  /** The number of connections since the start. */
  readonly connections: number
  /**
   * From now on, drops all bytes that go to the client, or to the server: of one of the present connections, or of all of
   * them. New ones are intact.
   */
  swallow(direction: "to client" | "to server", index?: number): void
  close(): Promise<void>
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** Starts a proxy to a port of this machine. */
export async function halfOpenProxy(target: number): Promise<HalfOpenProxy> {
  const pairs = new Set<Pair>()
  let connections = 0
  const proxy: Server = createServer((client) => {
    connections += 1
    const server = connect(target, "127.0.0.1")
    const pair = { client, server }
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on("data", (bytes) => to.write(bytes))
      from.on("error", end).on("close", end)
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve))
  return {
    port: (proxy.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    swallow(direction, index) {
      for (const { client, server } of index === undefined ? pairs : [...pairs].slice(index, index + 1)) {
        const from = direction === "to client" ? server : client
        from.removeAllListeners("data")
        from.on("data", () => undefined)
      }
    },
    async close() {
      for (const { client, server } of pairs) {
        client.destroy()
        server.destroy()
      }
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}
