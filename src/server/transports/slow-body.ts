import type { IncomingMessage } from "node:http"
import type { Endpoint } from "../transport.ts"
import { abandon } from "./http-versions.ts"

/**
 * Destroys a request whose body does not end within `handshakeTimeoutMs`. By itself, Node would keep its connection open for
 * minutes, even after the answer.
 */
export function endSlowBody(request: IncomingMessage, { timers, limits }: Pick<Endpoint, "timers" | "limits">): void {
  const timer = timers.set(() => abandon(request), limits.handshakeTimeoutMs)
  request.once("close", () => timers.clear(timer))
}
