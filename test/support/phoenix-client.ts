// @ts-expect-error the package ships no types; the SDK declares some, but these tests use it without types
import { Presence as PhoenixPresence, Socket as PhoenixSocket } from "phoenix"
import { WebSocket } from "ws"

/** The official client, unchanged and with loose types: tests use it to check the server. */
export const Socket = PhoenixSocket as new (url: string, options?: object) => any
export const Presence = PhoenixPresence as new (channel: any, options?: object) => any

const sockets: any[] = []

/** Returns a connected socket of the official client over `ws`, with short delays before it reconnects. */
export function officialSocket(url: string, params: object = {}, options: object = {}): any {
  // On a busy machine a connection and its first join may take several seconds: a reply that comes late is no error.
  const quick = { reconnectAfterMs: () => 20, rejoinAfterMs: () => 20, timeout: 30_000 }
  const socket = new Socket(`${url.replace("http", "ws")}/socket`, {
    params,
    transport: WebSocket,
    ...quick,
    ...options,
  })
  socket.connect()
  sockets.push(socket)
  return socket
}

/** Disconnects every socket that a test has made. */
export function disconnectAll(): void {
  for (const socket of sockets.splice(0)) socket.disconnect()
}

/** Resolves with the reply to a push or a join: its status and response. */
export function reply(push: any): Promise<{ status: string; response: any }> {
  return new Promise((resolve) => {
    for (const status of ["ok", "error", "timeout", "accepted"]) {
      push.receive(status, (response: unknown) => resolve({ status, response }))
    }
  })
}
