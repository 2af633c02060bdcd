/** The address of a server, as it was given to `connect`. */
import { ConfigError } from "../error.ts"

const ADDRESS = /^(?:(?:ws|http)(s?:\/\/[^\s/?#]+))?((?:\/[^\s?#]*)?)(?:\?([^\s#]*))?(?:#.*)?$/i

/**
 * Splits an address into what phoenix.js takes and a query. phoenix.js appends `/websocket`, to which an address that
 * has it already is therefore shortened.
 *
 * @throws ConfigError for what is neither an absolute URL nor, in a page, a path
 */
export function parseEndpoint(url: string): [endPoint: string, query: string] {
  const [, host, path, query = ""] = ADDRESS.exec(url) ?? []
  if (host === undefined && (!path || typeof location === "undefined")) {
    throw new ConfigError(`expected url to be ws(s)://host/path, or /path in a page, got ${JSON.stringify(url)}`)
  }
  // `LongPoll` replaces the last `/websocket` of the whole URL.
  return [
    (host ? `ws${host}` : "") + path!.replace(/\/+$/, "").replace(/(.)\/websocket$/, "$1"),
    query.replace(/\//g, "%2F"),
  ]
}
