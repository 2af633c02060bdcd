import { ConfigError } from "../error.ts"
import { createServer, tokens } from "../server/index.ts"
import type { Listening, Server, SocketHandlers } from "../server/index.ts"
import { connectBus } from "./bus.ts"
import { ofFile } from "./handlers-failed.ts"
import { loadHandlers } from "./handlers-file.ts"
import type { HandlersFile } from "./handlers-file.ts"
import { acceptEverybody, acceptTokens, OPEN_ROOM_LIMITS, serveOpenRooms } from "./open-rooms.ts"
import { loadPage } from "./page.ts"
import type { Settings } from "./settings.ts"

/** A server that listens, and what was added to it. */
export interface Started {
  readonly server: Server
  readonly listening: Listening
  /** The paths that clients connect to. */
  readonly paths: readonly string[]
  /** The patterns of the topics that are served. */
  readonly topics: readonly string[]
  /** Whether the command added the socket, because the file adds none. */
  readonly isOwnSocket: boolean
}

/** They close the server. SIGHUP is sent by a terminal that is closed. */
const SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP"]

/**
 * Starts a server.
 * @param random returns a text that no other client has
 * @throws ConfigError, RollcallError; what the file with handlers throws, with its path: see `HandlersFailed`
 */
export async function start(settings: Settings, random: () => string): Promise<Started> {
  const { file, port, host, workers, operations, secret } = settings
  const program = file === undefined ? undefined : await ofFile(file, () => loadHandlers(file))
  const pubsub = await connectBus(settings.pubsub)
  const server = createServer({
    ...(program === undefined ? OPEN_ROOM_LIMITS : program.options),
    ...(pubsub !== undefined && { pubsub }),
    ...(secret !== undefined && { secret }),
  })
  const listen = server.listen.bind(server)
  server.listen = () => {
    throw new ConfigError(
      "expected a file that adds handlers, got one that calls server.listen: the command does, see --port",
    )
  }
  try {
    const added = await addHandlers(server, settings, program, random)
    const request = program?.request ?? (settings.page ? await loadPage() : undefined)
    if (workers !== undefined && server.role !== "worker") await tryAddress(settings)
    const listening = await listen({
      port,
      host,
      signals: SIGNALS,
      ...(workers !== undefined && { workers }),
      ...(operations !== undefined && { operations }),
      ...(request !== undefined && { request }),
    })
    return { server, listening, ...added }
  } catch (error) {
    // The connection to the bus would keep the process alive.
    await server.close()
    throw error
  }
}

/** Opens the address, and closes it again. Without that, each worker process would report why it cannot open it. */
async function tryAddress({ port, host }: Settings): Promise<void> {
  const server = createServer()
  await server.listen({ port, host })
  await server.close()
}

/** Adds what the file adds, or open rooms, and a socket if the file adds none. */
async function addHandlers(
  server: Server,
  { origins, secret, file }: Settings,
  program: HandlersFile | undefined,
  random: () => string,
): Promise<Pick<Started, "paths" | "topics" | "isOwnSocket">> {
  const paths: string[] = []
  const topics: string[] = []
  const mount = server.socket.bind(server)
  server.socket = (path: string, handlers: SocketHandlers = {}) => {
    mount(path, withOrigins(handlers, origins))
    paths.push(path)
  }
  const serve = server.channel.bind(server) as (room: string | { pattern: string }, handlers: unknown) => void
  server.channel = (room: string | { pattern: string }, handlers: unknown) => {
    serve(room, handlers)
    topics.push(typeof room === "string" ? room : room.pattern)
  }
  if (program === undefined || file === undefined) serveOpenRooms(server)
  else await ofFile(file, async () => program.default(server))
  const isOwnSocket = paths.length === 0
  if (isOwnSocket) {
    const connect = secret === undefined ? acceptEverybody(random) : acceptTokens((await tokens({ secret })).verify)
    server.socket("/socket", { connect })
  }
  return { paths, topics, isOwnSocket }
}

/** Returns the handlers of a socket with the origins of the command, unless they name their own. They may be an instance of a class. */
function withOrigins(handlers: SocketHandlers, origins: SocketHandlers["origins"]): SocketHandlers {
  const isObject = typeof handlers === "object" && handlers !== null
  if (origins === true || !isObject || handlers.origins !== undefined) return handlers
  return Object.assign(Object.create(handlers) as SocketHandlers, { origins })
}
