import type { Serializer } from "../../wire/message.ts"
import type { ChannelHandlers } from "./handlers.ts"

/** A protocol on top of Phoenix's: what its clients send in other frames, or expect channels to do. */
export interface Dialect {
  /** Returns the serializers for its clients, the preferred ones first. Returns the same list each time. */
  serializers(standard: readonly Serializer[]): readonly Serializer[]
  /** Returns the handlers for its clients: those of the application, and those of the dialect. The same for the same argument. */
  channel(handlers: ChannelHandlers): ChannelHandlers
}

/** The names of the dialects, for the option `dialect` of `server.socket`. */
export type DialectName = "supabase"
