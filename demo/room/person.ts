import type { merged } from "rollcall"
import type { Device, Person } from "./device.js"

/** What the page needs of Rollcall for a person: it comes from a script tag, or from a module. */
export type Merged = typeof merged

/** Returns the status of a person with all their devices: the one that was chosen last, or `away`. */
export function statusOf(person: Person, merge: Merged): Device["status"] | undefined {
  const { status, away } = merge(person)
  return away ? "away" : status
}

export const isTyping = (person: Person): boolean => person.metas.some(({ typing }) => typing)

/** Returns the name of a person as text, with the mark of a name that others had first: `Ada #2`. */
export const nameOf = ({ metas: [{ name, mark }] }: Person): string => (mark === undefined ? name : `${name} #${mark}`)
