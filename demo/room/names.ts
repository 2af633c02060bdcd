/** The names that are taken in rooms. */
export interface Names {
  /**
   * Returns the name for a person in a room, and its mark, if somebody else in the room had the name first: a second Ada is
   * `Ada #2`. The same person gets the same name again.
   *
   * @param person an id that only this person has
   */
  take(topic: string, person: string, name: string): { readonly key: string; readonly mark?: number }
  /** Begins the time after which the name is free again. */
  leave(topic: string, key: string): void
}

/**
 * @param isPresent whether somebody in the room has this name now
 * @param keepMs how long the name of a person who left is kept: a page that is loaded again gets the same name
 */
export function createNames(
  isPresent: (topic: string, key: string) => boolean,
  now: () => number = () => performance.now(),
  keepMs = 60_000,
): Names {
  const holders = new Map<string, { readonly topic: string; readonly key: string; person: string; until: number }>()
  const idOf = (topic: string, key: string): string => JSON.stringify([topic, key])

  function removeExpired(): void {
    for (const [id, { topic, key, until }] of holders) {
      if (until <= now() && !isPresent(topic, key)) holders.delete(id)
    }
  }

  return {
    take(topic, person, name) {
      removeExpired()
      for (let mark = 1; ; mark += 1) {
        const key = mark === 1 ? name : `${name} #${mark}`
        const id = idOf(topic, key)
        if ((holders.get(id)?.person ?? person) !== person) continue
        holders.set(id, { topic, key, person, until: now() + keepMs })
        return mark === 1 ? { key } : { key, mark }
      }
    },
    leave(topic, key) {
      const holder = holders.get(idOf(topic, key))
      if (holder !== undefined) holder.until = now() + keepMs
    },
  }
}
