/** The address of a server, as it was given to `connect`. */
import { ConfigError } from "../error.ts"

/** An origin or nothing before a path, the path without a last `/websocket`, and a query. */
const ADDRESS =
  /^((?:(?:ws|http)s?:)?\/\/[^\s/?#]+|(?=\/))((?:\/[^\s?#]+?)?)(?:\/websocket)?\/*(?:\?([^\s#]*))?(?:#|$)/i

/**
 * Splits an address into what phoenix.js takes and a query. phoenix.js appends `/websocket`, to which an address that
 * has it already is therefore shortened.
 *
 * @throws ConfigError for what is neither an absolute URL nor a path
 */
export function parseEndpoint(url: string): [endPoint: string, query: string] {
  const [, origin = "", path, query = ""] = ADDRESS.exec(url) ?? []
  if (path === undefined) {
    throw new ConfigError(`expected url to be ws(s)://host/path, or in a page a path, got ${JSON.stringify(url)}`)
  }
  // `LongPoll` replaces the last `/websocket` of the whole URL.
  return [origin.replace(/^http/i, "ws") + path, query.replace(/\//g, "%2F")]
}
