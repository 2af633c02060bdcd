/** What this tab remembers when it is loaded again: the room that it was in. */
const FIELD = "in-room"

export function rememberRoom(room: string): void {
  try {
    sessionStorage.setItem(FIELD, room)
  } catch {
    // A browser that stores nothing asks for a name again.
  }
}

/** Returns the room that this tab was in, or an empty text. */
export function lastRoom(): string {
  try {
    return sessionStorage.getItem(FIELD) ?? ""
  } catch {
    return ""
  }
}

export const wasIn = (room: string): boolean => lastRoom() === room
