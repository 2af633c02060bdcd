/** What the browser remembers of a person: all its tabs are the same person. A browser that stores nothing has one for each tab. */
function stored(field: string): string | undefined {
  try {
    return localStorage.getItem(field) ?? undefined
  } catch {
    return undefined
  }
}

function store(field: string, value: string): void {
  try {
    localStorage.setItem(field, value)
  } catch {
    // It is known to this tab.
  }
}

export const lastName = (): string => stored("name") ?? ""
export const rememberName = (name: string): void => store("name", name)

/** Returns an id that only this browser has. `randomUUID` is missing in a page without TLS on another computer. */
export function personId(): string {
  const id = stored("person") ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("")
  store("person", id)
  return id
}
