import type { Admission } from "../transport.ts"

type HandshakeRefusal = Extract<Admission, { ok: false }>

/** No socket is mounted at the path. */
export const NOT_FOUND: HandshakeRefusal = { ok: false, status: 404, reason: "not found" }
/** The server is closing; another node may accept the client. */
export const CLOSING: HandshakeRefusal = { ok: false, status: 503, reason: "closing" }
/** The client's address has `maxConnectionsPerAddress` connections already. */
export const TOO_MANY_CONNECTIONS: HandshakeRefusal = { ok: false, status: 429, reason: "too many connections" }
/** `connect` refused the client, or its origin or protocol version is not allowed. The log says which. */
export const REFUSED: HandshakeRefusal = { ok: false, status: 403, reason: "refused" }
