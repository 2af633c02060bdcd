import type { Serializer } from "./message.ts"
import { v1 } from "./v1.ts"
import { v2 } from "./v2.ts"

/** The serializers of every server, by preference. `ServerOptions.serializers` come before them. */
export const SERIALIZERS: readonly Serializer[] = [v1, v2]

/** The version of a client that names none (recorded case 11). */
const DEFAULT_VSN = "1.0.0"

/** A release of `major.minor.0` or a later patch. A pre-release of the `.0` itself, `1.0.0-rc.1`, comes before it and does not match. */
const SEMANTIC_VERSION =
  /^(?<release>(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))\.(?:0|[1-9]\d*(?:-[\da-z.-]+)?)(?:\+[\da-z.-]+)?$/i

/**
 * Returns the first serializer that serves a client's `vsn`, or `undefined` (P1): the serializer of exactly this version,
 * or, as Phoenix has it with `~> 2.0.0`, one of the same `major.minor`.
 */
export function serializerFor(
  vsn: string = DEFAULT_VSN,
  serializers: readonly Serializer[] = SERIALIZERS,
): Serializer | undefined {
  const release = releaseOf(vsn)
  return serializers.find((serializer) => {
    return serializer.vsn === vsn || (release !== undefined && releaseOf(serializer.vsn) === release)
  })
}

const releaseOf = (vsn: string): string | undefined => SEMANTIC_VERSION.exec(vsn)?.groups?.["release"]
