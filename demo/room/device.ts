import type { Entry } from "rollcall"

export const STATUSES = ["available", "away", "busy"] as const

/** The most characters of a name, and of a line. */
export const NAME_LENGTH = 40
export const LINE_LENGTH = 200
/** Matches a text with something to see: a name of blanks, or of marks without a width, would be an empty line. */
export const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u

/** The fields of a page. A person with several tabs has one of these for each. */
export interface Device {
  readonly name: string
  readonly status: (typeof STATUSES)[number]
  /** Whether nobody uses this device. A person is away only if all of their devices are. */
  readonly away?: boolean | undefined
  readonly typing?: boolean | undefined
  /** From 2 on: others in the room had this name first. The server sets it. */
  readonly mark?: number | undefined
  /** Whether this is one of a crowd, without a browser. The server sets it. */
  readonly crowd?: boolean | undefined
  /** When the page joined, in ms since 1970. The server sets it. */
  readonly since?: number | undefined
}

export type Person = Entry<Device>

/** What a person says to the room. */
export interface Line {
  readonly text: string
  /** The key of the person. The server adds it. */
  readonly from?: string | undefined
}

/** Where a pointer is, as shares of the width and the height of the area, because pages differ in size. */
export interface Cursor {
  readonly x: number
  readonly y: number
  /** The key of the person. The server adds it. */
  readonly from?: string | undefined
}
