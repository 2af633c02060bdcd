import { readTrackerMessage } from "rollcall/testing"
import type { NetworkMessage, TrackerMessage } from "rollcall/testing"

/** A message between two nodes, with what it carries and how it ended. */
export interface Flight {
  readonly message: NetworkMessage
  readonly read: TrackerMessage | undefined
  /** When it arrived or was lost, in ms of virtual time. */
  endedAt: number | undefined
}

/** Ended messages that are kept, of those with content, and of the signs of life. */
const MAX_ENDED = 12

/** The messages under way, and the latest that have ended. */
export class Flights {
  readonly #underway = new Map<number, Flight>()
  #ended: Flight[] = []
  #endedSigns: Flight[] = []

  /** Takes a message that was sent, has arrived, or is lost. Returns its flight. */
  changed(message: NetworkMessage, now: number): Flight {
    const known = this.#underway.get(message.id)
    const flight = known ?? { message, read: readTrackerMessage(message.bytes), endedAt: undefined }
    if (message.state === "underway") this.#underway.set(message.id, flight)
    else {
      this.#underway.delete(message.id)
      flight.endedAt = now
      if (flight.read?.type === "heartbeat" && flight.read.parts.length === 0) {
        this.#endedSigns = [flight, ...this.#endedSigns].slice(0, MAX_ENDED)
      } else this.#ended = [flight, ...this.#ended].slice(0, MAX_ENDED)
    }
    return flight
  }

  /** In the order in which they were sent. */
  get underway(): readonly Flight[] {
    return [...this.#underway.values()]
  }

  /** The latest with content, the newest first, then the latest signs of life. */
  get ended(): readonly Flight[] {
    return [...this.#ended, ...this.#endedSigns]
  }

  /** Returns the messages that an action means: `#17`, `node1>node2`, `node1>node2:1` or `node1>node2:last`. */
  select(which: string): readonly NetworkMessage[] {
    const underway = this.underway.map(({ message }) => message)
    if (which.startsWith("#")) return underway.filter(({ id }) => id === Number(which.slice(1)))
    const [link = "", place] = which.split(":")
    const [from, to] = link.split(">")
    const between = underway.filter((message) => message.from === from && message.to === to)
    if (place === undefined) return between
    const one = place === "last" ? between.at(-1) : between[Number(place) - 1]
    return one === undefined ? [] : [one]
  }
}
