import type { connect } from "rollcall"
import { idle } from "rollcall/idle"
import { find } from "./element.js"
import { showNavigation } from "./navigation.js"
import { showChoices } from "./room/choices.js"
import { showCrowdButton } from "./room/crowd-button.js"
import { showCursors } from "./room/cursors.js"
import type { Device } from "./room/device.js"
import { showEntry, showLeave } from "./room/entry.js"
import { showFeed } from "./room/feed.js"
import { personId } from "./room/identity.js"
import { showInspect } from "./room/inspect-button.js"
import { showPeople } from "./room/people.js"
import type { Merged } from "./room/person.js"
import { roomName, showLink } from "./room/share.js"
import { showStack } from "./room/stack.js"
import { showDisconnect, showState } from "./room/state.js"
import { showTalk } from "./room/talk.js"

/** What the page needs of Rollcall: one page gets it from a script tag, the other from a module. */
interface Library {
  connect: typeof connect
  merged: Merged
}

/** A page that is loaded again is back by then, so that the others see no leave. */
const GRACE_MS = 5_000
/** After this time without an input, a person is away. */
const IDLE_MS = 60_000
const LOST_MS = 3_000

/** Shows the form for a name, then the room. */
export function open(library: Library): void {
  showNavigation()
  showEntry(library.connect, roomName(), (name) => enter(library, name))
}

function enter({ connect, merged }: Library, name: string): void {
  const connection = connect("/socket", { params: { userId: personId() } })
  // With `me`, each join brings what was updated until then: others do not see the default first.
  const room = connection.room<Device>(
    `rooms:${roomName()}`,
    { me: { name, status: "available" } },
    { graceMs: GRACE_MS, lostConnectionMs: LOST_MS },
  )
  // A hidden page is away at once. What a person has chosen by hand is another field, which this does not touch.
  idle(room, { afterMs: IDLE_MS, hiddenAfterMs: 0 })

  find("room").hidden = false
  find("topic").textContent = roomName()
  showLink()
  showLeave()
  showInspect(connection)
  showDisconnect(connection)
  showCursors(room, find("room"))
  showFeed(room, merged)
  const parts = [
    showState(room),
    showStack(room, merged),
    showPeople(room, merged),
    showChoices(room, merged),
    showTalk(room),
    showCrowdButton(room, Number(new URLSearchParams(location.search).get("people"))),
  ]
  const show = (): void => {
    for (const part of parts) part()
    if (!find<HTMLDetailsElement>("inside").open) return
    const users = Object.fromEntries(room.list((key, { metas }) => [key, { metas }] as const))
    find("map").textContent = JSON.stringify(users, null, 2)
  }
  room.subscribe(show)
  find("inside").addEventListener("toggle", show)
  show()
  find("count").focus()
}
