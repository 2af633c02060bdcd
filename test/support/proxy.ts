import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { onTestFinished } from "vitest"

/** A TCP proxy in front of a server on this machine. */
export interface Proxy {
  /** `ws://127.0.0.1:port` */
  readonly url: string
  /** What becomes of a WebSocket: `"pass"`; `"cut"` after its handshake has passed; `"swallow"` what comes after that; `"refuse"` the handshake. */
  webSockets: "pass" | "cut" | "swallow" | "refuse"
  /** How many WebSockets have been opened. */
  readonly opened: number
  /** How many requests for long polling have passed. */
  readonly polls: number
  /** Breaks the connections that carry long polls. */
  breakPolls(): void
}

/** Starts a proxy to the server at `target`, for one test. */
export async function startProxy(target: string): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const polling = new Set<Socket>()
  const proxy = { url: "", webSockets: "pass" as Proxy["webSockets"], opened: 0, polls: 0, breakPolls }
  function breakPolls(): void {
    for (const socket of polling) socket.destroy()
    polling.clear()
  }
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(target).port), "127.0.0.1")
    let isSwallowed = false
    client.on("data", (data) => {
      if (data.includes("/socket/longpoll")) {
        proxy.polls += 1
        polling.add(client)
      }
      if (proxy.webSockets === "refuse" && data.includes("Upgrade: websocket"))
        client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
      else if (!isSwallowed) upstream.write(data)
    })
    upstream.on("data", (data) => {
      if (isSwallowed) return
      client.write(data)
      if (!data.includes("HTTP/1.1 101")) return
      proxy.opened += 1
      if (proxy.webSockets === "swallow") isSwallowed = true
      // The bytes of the handshake are flushed before the connection ends.
      if (proxy.webSockets === "cut") client.end()
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  proxy.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}
