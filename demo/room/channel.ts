import { relay, type Server } from "rollcall/server"
import { createCrowds } from "./crowd.js"
import { rooms } from "./definition.js"
import { createNames } from "./names.js"

/** Who is connected. A page that only looks into a room, such as the form for a name, is nobody. */
export interface Visitor {
  /** An id that only the browser of this person knows. It is no login: README.md shows one. */
  readonly userId?: string | undefined
}

/**
 * Serves the rooms. A person is listed under a name that nobody else in the room has.
 *
 * @param lingerMs how long a crowd stays after the last page has left: one that is loaded again finds it as it was
 */
export function serveRooms(
  server: Pick<Server<Visitor>, "channel" | "broadcast" | "presence">,
  lingerMs = 20_000,
): void {
  const names = createNames((topic, key) => server.presence.get(topic, key) !== undefined)
  const crowds = createCrowds(server, names)
  /** The rooms whose crowd somebody has changed since this server was started. */
  const asked = new Set<string>()
  /** How many pages are in each room. One without pages is here until its crowd has gone, too. */
  const pages = new Map<string, number>()

  function endCrowd(topic: string): void {
    if (pages.get(topic) !== 0) return
    pages.delete(topic)
    asked.delete(topic)
    crowds.end(topic)
  }

  server.channel(rooms, {
    join: () => ({ ok: {} }),
    allow: ["name", "status", "away", "typing"],
    presence({ topic, assigns: { userId } }, sent) {
      if (userId === undefined) return undefined
      const me = sent ?? { name: userId, status: "available" as const }
      const { key, mark } = names.take(topic, userId, me.name)
      return { key, meta: { ...me, ...(mark !== undefined && { mark }), since: Date.now() } }
    },
    joined({ topic }) {
      pages.set(topic, (pages.get(topic) ?? 0) + 1)
    },
    left({ topic, key }) {
      if (key !== undefined) names.leave(topic, key)
      const rest = (pages.get(topic) ?? 0) - 1
      pages.set(topic, rest)
      if (rest === 0) setTimeout(endCrowd, lingerMs, topic).unref()
    },
    on: {
      cursor: relay({ reply: false }),
      say: relay(),
      crowd({ size, isSeen }, { topic }) {
        // A page that was only offline: meanwhile somebody may have sent the crowd home.
        if (isSeen === true && asked.has(topic)) return { ok: {} }
        asked.add(topic)
        const reason = crowds.resize(topic, size)
        return reason === undefined ? { ok: {} } : { error: { reason } }
      },
    },
  })
}
