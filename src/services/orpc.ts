import type * as client from "@orpc/client"
import type { StandardRPCJsonSerializer } from "@orpc/client/standard"
import type * as server from "@orpc/server"
import { loadOptionalPeer } from "../optional-peer.ts"
import { BYTES } from "./bytes-in-json.ts"

/**
 * What calls use of oRPC: its procedures with their middleware and schemas, its typed errors, and its JSON for dates, maps,
 * sets and the like. Its transports are not used: see `messages.ts`.
 */
export interface Orpc {
  readonly getRouter: typeof server.getRouter
  readonly unlazy: typeof server.unlazy
  readonly isProcedure: typeof server.isProcedure
  readonly createProcedureClient: typeof server.createProcedureClient
  readonly ORPCError: typeof client.ORPCError
  readonly isORPCErrorJson: typeof client.isORPCErrorJson
  readonly createORPCErrorFromJson: typeof client.createORPCErrorFromJson
  readonly serializer: StandardRPCJsonSerializer
}

let loaded: Orpc | undefined
let loading: Promise<Orpc> | undefined

/**
 * Loads oRPC, and returns it without a promise once it is loaded: a call must not wait for a turn of the event loop.
 * @throws ConfigError if it is not installed
 */
export function loadOrpc(): Orpc | Promise<Orpc> {
  return loaded ?? (loading ??= load())
}

async function load(): Promise<Orpc> {
  try {
    return (loaded = await imported())
  } finally {
    // After a failure, the next call tries again.
    loading = undefined
  }
}

async function imported(): Promise<Orpc> {
  const feature = "Calls of services need"
  const [server, client, standard] = await Promise.all([
    loadOptionalPeer(feature, "@orpc/server", () => import("@orpc/server")),
    loadOptionalPeer(feature, "@orpc/client", () => import("@orpc/client")),
    loadOptionalPeer(feature, "@orpc/client", () => import("@orpc/client/standard")),
  ])
  const { getRouter, unlazy, isProcedure, createProcedureClient } = server
  const { ORPCError, isORPCErrorJson, createORPCErrorFromJson } = client
  const serializer = new standard.StandardRPCJsonSerializer({ customJsonSerializers: [BYTES] })
  const errors = { ORPCError, isORPCErrorJson, createORPCErrorFromJson }
  return { getRouter, unlazy, isProcedure, createProcedureClient, ...errors, serializer }
}
