import { statSync } from "node:fs"
import { extname, resolve } from "node:path"
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
 * Loads a file with handlers, as an ES module or as CommonJS, also one that was compiled from an ES module.
 * @param path absolute, or relative to the current folder
 * @throws ConfigError when there is no such file, or when it does not export what it should; what the file itself throws
 */
export async function loadHandlers(path: string): Promise<HandlersFile> {
  const absolute = resolve(path)
  const found = statSync(absolute, { throwIfNoEntry: false })
  if (found?.isFile() !== true) {
    const got = found === undefined ? "none there" : "something that is no file"
    throw new ConfigError(`expected a file with handlers at ${path}, got ${got}`)
  }
  const loaded = exportsOf((await load(absolute, path)) as Record<string, unknown>)
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

const UNKNOWN_TYPES: ReadonlySet<unknown> = new Set([
  "ERR_UNKNOWN_FILE_EXTENSION",
  "ERR_IMPORT_ATTRIBUTE_MISSING",
  "ERR_IMPORT_ASSERTION_TYPE_MISSING",
])

async function load(absolute: string, path: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(absolute).href)
  } catch (error) {
    // A file that it imports may be what Node does not know.
    const isUnknown = error instanceof Error && "code" in error && UNKNOWN_TYPES.has(error.code)
    if (!isUnknown || !error.message.includes(absolute)) throw error
    const isTypeScript = /^\.[cm]?tsx?$/.test(extname(absolute))
    const remedy = isTypeScript ? "compile it, or use Node 22.18 or later" : "name it handlers.mjs or handlers.cjs"
    throw new ConfigError(`expected JavaScript that Node ${process.versions.node} runs, got ${path}: ${remedy}`, {
      cause: error,
    })
  }
}

/** Returns the exports of a module. To an import, those of CommonJS that was compiled from an ES module are its default. */
function exportsOf(loaded: Record<string, unknown>): Record<string, unknown> {
  const inner = loaded["default"]
  const isCompiled = typeof inner === "object" && inner !== null && "default" in inner
  return isCompiled ? inner : loaded
}
