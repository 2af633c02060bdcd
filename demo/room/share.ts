import { find } from "../element.js"

/** How long the button says that the link is copied, in ms. */
const SAID_MS = 3_000

/** The most characters of the name of a room, which is part of a topic. */
const ROOM_LENGTH = 60

/** The name of the room in the address of the page. What is longer is cut off, as an address that was copied by half would be. */
export const roomName = (): string =>
  new URLSearchParams(location.search).get("room")?.trim().slice(0, ROOM_LENGTH) || "lobby"

/** Returns the address of a room. */
function linkTo(room: string): string {
  const url = new URL(location.pathname, location.href)
  url.searchParams.set("room", room)
  return url.href
}

/** Sets up the button that copies the link of this room. */
export function showLink(): void {
  const button = find<HTMLButtonElement>("copy-link")
  const text = button.textContent
  let timer: ReturnType<typeof setTimeout>
  button.addEventListener("click", async () => {
    // A page without TLS, such as that of another computer in the network, has no clipboard.
    const copied = (navigator.clipboard as Clipboard | undefined)?.writeText(linkTo(roomName())) ?? Promise.reject()
    button.textContent = await copied.then(
      () => "Copied",
      () => "See the address bar",
    )
    clearTimeout(timer)
    timer = setTimeout(() => (button.textContent = text), SAID_MS)
  })
}

/** Sets up the link to a room of one's own, whose name nobody else will guess. */
export function showOwnRoom(): void {
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1))
  find<HTMLAnchorElement>("own-room").href = linkTo(`room-${number.toString(36)}`)
}
