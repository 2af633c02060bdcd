import type { IncomingMessage } from "node:http"
import { constants } from "node:http2"
import type { Http2ServerRequest } from "node:http2"

/** A request of either version. Node gives those of HTTP/2 an interface like that of HTTP/1, with the gaps below. */
type AnyRequest = IncomingMessage | Http2ServerRequest

/** Returns the host and port that a request names. HTTP/2 has `:authority` in place of the header `host`. */
export function hostOf({ headers }: AnyRequest): string | undefined {
  return headers.host ?? (headers[":authority"] as string | undefined)
}

/** Returns the headers of a request with a `host`, which code that was written for HTTP/1 expects. */
export function headersOf(request: AnyRequest): IncomingMessage["headers"] {
  const { headers } = request
  const host = hostOf(request)
  return headers.host !== undefined || host === undefined ? headers : { ...headers, host }
}

/** Ends a request without an answer. Over HTTP/2 its connection goes on: other requests share it. */
export function abandon(request: AnyRequest): void {
  if ("stream" in request) request.stream.close(constants.NGHTTP2_CANCEL)
  else request.destroy()
}
