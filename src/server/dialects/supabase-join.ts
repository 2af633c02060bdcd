import { isObject } from "../../json.ts"
import { SupabaseDiffs } from "./supabase-diffs.ts"

/** What the params of a join say: `{ config: { broadcast, presence, postgres_changes, private } }`. */
export interface JoinConfig {
  /** Whether the client gets its own broadcasts. */
  readonly isSelf: boolean
  /** Whether broadcasts are answered. */
  readonly isAcknowledged: boolean
  /** The key under which the client is tracked. */
  key: string
  /** Whether the client gets presences: it has a listener for them, or has tracked itself. */
  isPresenceEnabled: boolean
  /** Translates presence diffs for the client. */
  readonly diffs: SupabaseDiffs
  /** The database changes that the client wants, each with the `id` that its client expects. */
  readonly postgresChanges: readonly object[]
}

/**
 * Reads the params of a join. What is missing or has another form gets its default. `private` is for the application's `join`,
 * which gets the params, too.
 *
 * @param randomKey returns a key for a client that gives none
 */
export function readJoinConfig(params: Record<string, unknown>, randomKey: () => string): JoinConfig {
  const config = fields(params["config"])
  const [broadcast, presence] = [fields(config["broadcast"]), fields(config["presence"])]
  const key = typeof presence["key"] === "number" ? String(presence["key"]) : presence["key"]
  const changes = Array.isArray(config["postgres_changes"]) ? (config["postgres_changes"] as unknown[]) : []
  return {
    isSelf: broadcast["self"] === true,
    isAcknowledged: broadcast["ack"] === true,
    key: typeof key === "string" && key !== "" ? key : randomKey(),
    // Clients of earlier versions do not say whether they have listeners.
    isPresenceEnabled: presence["enabled"] !== false,
    diffs: new SupabaseDiffs(),
    postgresChanges: changes.filter(isObject).map((change, index) => ({ ...change, id: index + 1 })),
  }
}

const fields = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {})
