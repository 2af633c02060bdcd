/**
 * Compares the frames of two runs of one recording. Names that a server generates (references, tokens) differ from run to
 * run. So each name of one run is paired with one name of the other, and the pairs must be the same everywhere.
 */
export class Matching {
  readonly #ours = new Map<string, string>()
  readonly #recorded = new Map<string, string>()

  /** Returns the first difference, as a path and both values, or `undefined`. */
  difference(recorded: unknown, ours: unknown, path = ""): string | undefined {
    const difference = `${path || "it"}: expected ${JSON.stringify(recorded)}, got ${JSON.stringify(ours)}`
    if (typeof recorded !== "object" || recorded === null || typeof ours !== "object" || ours === null) {
      return recorded === ours || (recorded === 0 && ours === 0) ? undefined : difference
    }
    if (Array.isArray(recorded) !== Array.isArray(ours)) return difference
    const keys = new Set([...Object.keys(recorded), ...Object.keys(ours)])
    for (const key of keys) {
      const [theirs, mine] = [recorded, ours].map((side) => (side as Record<string, unknown>)[key])
      const below = `${path}.${key}`
      const found = this.#named(key, theirs, mine) ? undefined : this.difference(theirs, mine, below)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Returns our name that is paired with a name in the recording. */
  ours(recorded: string): string | undefined {
    return this.#ours.get(recorded)
  }

  #named(key: string, recorded: unknown, ours: unknown): boolean {
    if (typeof recorded !== "string" || typeof ours !== "string") return false
    if (key === "online_at") return /^\d+$/.test(ours)
    if (key === "reason") return withoutPid(recorded) === withoutPid(ours)
    if (key !== "phx_ref" && key !== "phx_ref_prev" && key !== "token") return false
    if (!this.#ours.has(recorded) && !this.#recorded.has(ours)) {
      this.#ours.set(recorded, ours)
      this.#recorded.set(ours, recorded)
    }
    return this.#ours.get(recorded) === ours
  }
}

const withoutPid = (reason: string): string => reason.replace(/#PID<[\d.]+>/, "#PID")
