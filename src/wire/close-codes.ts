/** The codes with which WebSockets are closed. */

/** The client has closed the connection. */
export const NORMAL = 1000
/** `server.disconnect(id)` was called, or the client's token has expired; the client connects again, with a new token. */
export const DISCONNECTED = 1001
/** The client was silent for `idleTimeoutMs`, or closed with a code that only servers use. */
export const PROTOCOL_ERROR = 1002
/** No close frame came: the network broke. Never sent. */
export const ABNORMAL = 1006
/** The client has exceeded a limit: frames a second, waiting frames, connections from its address. */
export const LIMIT_EXCEEDED = 1008
/** A frame is larger than `maxFrameBytes`. */
export const FRAME_TOO_LARGE = 1009
/** A frame could not be decoded. */
export const BAD_FRAME = 1011
/** The server is shutting down; the client connects again, to another node. */
export const SERVICE_RESTART = 1012
/** The client reads more slowly than the server sends: more than `maxBufferedBytes` are waiting. */
export const SLOW_CONSUMER = 1013
/** The first code that is free for applications (RFC 6455, section 7.4.2). */
export const FIRST_PRIVATE = 3000
/** The server refuses the connection, and has sent the reason. Only for clients that introduced themselves (`introduction.ts`). */
export const REFUSED = 4403
