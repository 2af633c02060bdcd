import { createServer } from "node:http2"

type Listener = (...args: never[]) => unknown

let nameOfNodes: string | undefined

/**
 * Returns whether a listener to the streams of an HTTP/2 server is Node's own, which makes requests of them for the listeners to
 * `request`. All others are the program's.
 */
export function makesRequests(listener: unknown): boolean {
  nameOfNodes ??= nameOfNodesListener()
  return (listener as Listener).name === nameOfNodes
}

/** Node gives no access to its listener, so its name is read from a server that has no other one. */
function nameOfNodesListener(): string {
  const probe = createServer().on("request", () => undefined)
  return probe.listeners("stream")[0]?.name ?? ""
}
