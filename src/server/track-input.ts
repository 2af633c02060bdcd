import { ConfigError, RollcallError, kindOf } from "../error.ts"
import { copyJsonObject, handOverCopy } from "../json.ts"
import { byteLength } from "../wire/byte-length.ts"

/**
 * Returns a copy of a meta as JSON would write it, without `phx_ref` and `phx_ref_prev`, which only the tracker sets. The
 * tracker uses this copy without copying it again.
 *
 * @param maxBytes the largest size of the meta as JSON, in bytes of UTF-8
 * @throws ConfigError when the meta is no JSON object; RollcallError `meta_too_large`
 */
export function metaOf(value: unknown, maxBytes: number): object {
  const meta = copyJsonObject("a meta", value)
  const json = JSON.stringify(meta)
  const size = json.length * 3 <= maxBytes ? json.length : byteLength(json)
  if (size > maxBytes) {
    throw new RollcallError(
      "meta_too_large",
      `expected a meta of at most ${maxBytes} bytes (maxMetaBytes), got ${size}`,
    )
  }
  delete meta["phx_ref"]
  delete meta["phx_ref_prev"]
  return handOverCopy(meta)
}

/** Returns a presence key as a string. @throws ConfigError when it is neither a string nor a finite number */
export function keyOf(key: unknown): string {
  if (typeof key === "string" || Number.isFinite(key)) return String(key)
  const got = typeof key === "number" ? key : kindOf(key)
  throw new ConfigError(`expected a presence key that is a string or a finite number, got ${got}`)
}
