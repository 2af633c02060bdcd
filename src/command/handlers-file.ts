import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { ConfigError, kindOf } from "../error.ts"
import type { ListenOptions, Server, ServerOptions } from "../server/index.ts"

/** What a file with handlers exports. */
export interface HandlersFile {
  /** Adds sockets and channels. May be async: the port is opened when it has resolved. */
  readonly default: (server: Server) => unknown
  /** Options of `createServer`. Those that the command's arguments set take precedence. */
  readonly options?: ServerOptions
  /** Answers HTTP requests that are not for a socket: see `listen`. */
  readonly request?: ListenOptions["request"]
}

/**
 * Loads a file with handlers, as an ES module or as CommonJS.
 * @param path absolute, or relative to the current folder
 * @throws ConfigError when there is no such file, or when it does not export what it should; what the file itself throws
 */
export async function loadHandlers(path: string): Promise<HandlersFile> {
  const absolute = resolve(path)
  if (!existsSync(absolute)) throw new ConfigError(`expected a file with handlers at ${path}, got none there`)
  const loaded = (await import(pathToFileURL(absolute).href)) as Record<string, unknown>
  const { default: handlers, options, request } = loaded
  if (typeof handlers !== "function") {
    const remedy = "export default (server) => { server.channel(…) }"
    throw new ConfigError(`expected ${path} to export a function as its default, got ${kindOf(handlers)}: ${remedy}`)
  }
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw new ConfigError(`expected ${path} to export options that are an object, got ${kindOf(options)}`)
  }
  if (request !== undefined && typeof request !== "function") {
    throw new ConfigError(`expected ${path} to export request as a function, got ${kindOf(request)}`)
  }
  return loaded as unknown as HandlersFile
}
