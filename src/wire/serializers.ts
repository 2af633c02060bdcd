import type { Serializer } from "./message.ts"
import { v1 } from "./v1.ts"
import { v2 } from "./v2.ts"

/** The serializers of every server, the preferred ones first. Those of `ServerOptions.serializers` come before them. */
export const SERIALIZERS: readonly Serializer[] = [v1, v2]

/** The version that a client without a `vsn` gets (recorded case 11). */
const DEFAULT_VSN = "1.0.0"

/**
 * Matches `major.minor.0` and its later patches. A pre-release of `.0` itself, such as `1.0.0-rc.1`, is older and does
 * not match.
 */
const SEMANTIC_VERSION =
  /^(?<release>(?:0|[1-9]\d*)\.(?:0|[1-9]\d*))\.(?:0|[1-9]\d*(?:-[\da-z.-]+)?)(?:\+[\da-z.-]+)?$/i

/**
 * Returns the first serializer that accepts a client's `vsn`, or `undefined` (P1). A serializer accepts exactly its own
 * version, and every version with the same `major.minor`, as Phoenix does by the requirement `~> 2.0.0`.
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
