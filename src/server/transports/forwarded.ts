import type { IncomingMessage } from "node:http"
import { formatIpAddress, parseIpAddress } from "../ip-address.ts"
import type { TrustedProxies } from "../trusted-proxies.ts"

/**
 * Returns the address of a request's client. Behind trusted proxies it is the one that the outermost of them has seen.
 *
 * When the request has passed no trusted proxy, and when the entry is no address, the address of the other end of the connection
 * is returned.
 */
export function clientAddress({ headers, socket }: IncomingMessage, proxies: TrustedProxies): string {
  const forwardedFor = valuesOf(headers["x-forwarded-for"])
  const passed = proxies.passed(socket.remoteAddress, forwardedFor)
  const forwarded = passed === 0 ? undefined : parseIpAddress(forwardedFor.at(-passed) ?? "")
  const address = forwarded ?? parseIpAddress(socket.remoteAddress ?? "")
  return address === undefined ? (socket.remoteAddress ?? "") : formatIpAddress(address)
}

/**
 * Returns the value that the outermost trusted proxy wrote to a header that has one value, or one of each proxy. Values further
 * left were sent by the client, which can write anything.
 */
export function forwarded(
  { headers, socket }: IncomingMessage,
  name: string,
  proxies: TrustedProxies,
): string | undefined {
  const values = valuesOf(headers[name])
  if (values.length === 0) return undefined
  const passed = proxies.passed(socket.remoteAddress, valuesOf(headers["x-forwarded-for"]))
  return passed === 0 ? undefined : values.at(-passed) || values[0] || undefined
}

function valuesOf(header: string | string[] | undefined): readonly string[] {
  if (header === undefined) return []
  return String(header)
    .split(",")
    .map((value) => value.trim())
}
