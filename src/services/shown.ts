import { kindOf } from "../error.ts"
import { quote } from "../quote.ts"

/** Returns what an error says of a value that should be a number. The text "5" must not look like the number 5. */
export const shownNumber = (value: unknown): string => (typeof value === "number" ? String(value) : kindOf(value))

/** The longest name of a call that an error shows as it is, in characters. */
const MAX_LENGTH = 200

/** Returns the name of a call for an error. Any text can be called, also one of a megabyte, or one with line breaks. */
export function shownCall(name: string): string {
  return name.length <= MAX_LENGTH && !/[\p{C}\p{Zl}\p{Zp}]/u.test(name) ? name : quote(name)
}
