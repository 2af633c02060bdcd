/** What this tab remembers when it is loaded again: the room that it was in. */
const FIELD = "in-room"

export function rememberRoom(room: string): void {
  try {
    sessionStorage.setItem(FIELD, room)
  } catch {
    // A browser that stores nothing asks for a name again.
  }
}

export function wasIn(room: string): boolean {
  try {
    return sessionStorage.getItem(FIELD) === room
  } catch {
    return false
  }
}
