import type { AnyAssigns, ChannelHandlers } from "./handlers.ts"
import type { ServerContext } from "./server-context.ts"

/** Handlers that need their server, such as those of `watchKeys`. `server.channel` calls the function with the server's parts. */
export type ServerHandlers<Assigns extends object = AnyAssigns> = (context: ServerContext) => ChannelHandlers<Assigns>
