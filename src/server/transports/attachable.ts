import type { Server as PlainServer } from "node:http"
import type { Http2SecureServer, Http2Server } from "node:http2"
import type { Server as TlsServer } from "node:https"

/**
 * An HTTP server that a Rollcall server can be attached to: of `node:http`, of `node:https`, or of `node:http2`.
 *
 * Long poll works over HTTP/1.1 and HTTP/2. WebSockets need HTTP/1.1, so create a server of `node:http2` with
 * `allowHTTP1: true`: browsers then open a connection of HTTP/1.1 for them.
 */
export type AttachableServer = PlainServer | TlsServer | Http2SecureServer | Http2Server
