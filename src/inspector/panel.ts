/** The opened inspector: what it shows, and at which moment. */
import type { Snapshot } from "../client/store.ts"
import type { Clock } from "../timers.ts"
import { entryDetail, userDetail } from "./detail.ts"
import { dot, renderEntry, renderRoom, renderUser, type RoomItem, type UserItem } from "./rows.ts"
import { element, setText } from "./dom.ts"
import { createFaultTools } from "./fault-tools.ts"
import type { Observation } from "./observation.ts"
import type { Past } from "./past.ts"
import { createTabs } from "./tabs.ts"
import type { TimelineEntry } from "./timeline-entry.ts"
import { createTravel } from "./travel.ts"
import { createVirtualList } from "./virtual-list.ts"

/** How often the panel looks for rooms that have sent nothing yet, in milliseconds. */
const LOOK_MS = 1000

/** The panel in the page. */
export interface Panel {
  readonly root: HTMLElement
  focus(): void
  /** Shows what has changed, with the next frame. */
  schedule(): void
  stop(): void
}

type Shows = "all" | "room" | "messages" | "changes"

const option = (value: Shows, text: string): HTMLElement => element("option", { value }, text)

/** @param close called when the user closes it; without it, it cannot be closed */
export function createPanel(observation: Observation, timers: Clock, close: (() => void) | undefined): Panel {
  const { connection, faults } = observation
  let wantedTopic: string | undefined
  let wantedUser: string | undefined
  /** The entry whose moment is shown, and the rooms as they were then. */
  let picked: TimelineEntry | undefined
  let past: Past | undefined
  let frame = 0
  let timer: unknown
  let shownDetail: unknown

  const pick = (entry: TimelineEntry | undefined): void => {
    picked = entry
    past = entry && observation.pastAt(entry.id)
    schedule()
  }

  const rooms = createVirtualList<RoomItem>({
    label: "Rooms",
    name: "rooms",
    rowHeight: 30,
    render: renderRoom,
    onPick: ({ topic }) => {
      wantedTopic = topic
      schedule()
    },
  })
  const users = createVirtualList<UserItem>({
    label: "Users",
    name: "users",
    rowHeight: 36,
    render: renderUser,
    onPick: ({ key }) => {
      wantedUser = key
      schedule()
    },
  })
  const timeline = createVirtualList<TimelineEntry>({
    label: "Timeline",
    name: "entries",
    rowHeight: 26,
    isFollowing: true,
    render: renderEntry,
    onPick: pick,
  })
  const tabs = createTabs({ users: "Users", timeline: "Timeline" }, () => schedule())
  const tools = createFaultTools(faults, () => schedule())
  const travel = createTravel((entry) => {
    pick(entry)
    timeline.reveal()
  })

  const state = dot("")
  const stateText = element("span")
  const status = element("span", { class: "status", role: "status" }, state, stateText)
  const filter = element("input", { type: "search", placeholder: "Filter", "aria-label": "Filter users and entries" })
  const options = [
    option("all", "Everything"),
    option("room", "This room"),
    option("messages", "Messages"),
    option("changes", "Changes"),
  ]
  const shows = element("select", { "aria-label": "Entries that are shown" }, ...options)
  filter.addEventListener("input", () => schedule())
  shows.addEventListener("change", () => schedule())

  const copy = element(
    "button",
    { type: "button", class: "copy", title: "Copy the recording, for a bug report" },
    "Copy",
  )
  copy.hidden = (navigator.clipboard as Clipboard | undefined) === undefined
  const copyRecording = async (): Promise<void> => {
    const isCopied = await navigator.clipboard.writeText(observation.text()).then(
      () => true,
      () => false,
    )
    setText(copy, isCopied ? "Copied" : "Not allowed")
  }
  copy.addEventListener("click", () => void copyRecording())
  const closing = element("button", { type: "button", class: "close", "aria-label": "Close the inspector" }, "×")
  closing.hidden = !close
  closing.addEventListener("click", () => close?.())

  const emptyUsers = element("p", { class: "empty" })
  const emptyTimeline = element("p", { class: "empty" }, "Nothing has happened yet.")
  const emptyRooms = element("p", { class: "empty" }, "No room is joined.")
  const warning = element("p", { class: "warning" })
  tabs.panels.users.append(users.root, emptyUsers)
  tabs.panels.timeline.append(warning, timeline.root, emptyTimeline)
  const detail = element("div", { class: "detail", role: "region", "aria-label": "Details", tabindex: "0" })
  const body = element(
    "div",
    { class: "body" },
    element("div", { class: "side" }, element("h2", { class: "title" }, "Rooms"), rooms.root, emptyRooms),
    element(
      "div",
      { class: "main" },
      element("div", { class: "bar" }, tabs.root, filter, shows),
      tabs.panels.users,
      tabs.panels.timeline,
    ),
    detail,
  )
  const top = element(
    "header",
    { class: "top" },
    element("strong", { class: "brand" }, "Rollcall"),
    status,
    tools.root,
    copy,
    closing,
  )
  const root = element("section", { class: "panel", "aria-label": "Rollcall inspector" }, top, body, travel.root)
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return
    event.preventDefault()
    if (picked) pick(undefined)
    else if (wantedUser !== undefined) wantedUser = undefined
    else close?.()
    schedule()
  })

  const viewOf = (topic: string): Snapshot | undefined => (picked ? past?.snapshot(topic) : observation.snapshot(topic))

  const drawRooms = (): string | undefined => {
    const topics = picked ? [...(past?.topics ?? [])] : observation.topics()
    const topic = wantedTopic !== undefined && topics.includes(wantedTopic) ? wantedTopic : topics[0]
    const items = topics.map((each) => {
      const view = viewOf(each)
      return { topic: each, status: view?.status ?? "joining", size: view?.size ?? 0 }
    })
    rooms.root.hidden = !items.length
    emptyRooms.hidden = items.length > 0
    rooms.update(items, topic === undefined ? -1 : topics.indexOf(topic))
    return topic
  }

  const drawUsers = (topic: string | undefined, wanted: string): UserItem | undefined => {
    const view = topic === undefined ? undefined : viewOf(topic)
    tabs.count("users", view?.size ?? 0)
    if (tabs.selected !== "users") return undefined
    const all = view?.users ?? []
    const found = wanted ? all.filter(({ key }) => key.toLowerCase().includes(wanted)) : all
    const items = lazily(found.length, (at): UserItem => {
      const user = found[at]!
      // What was recorded has no secrets any more.
      const shown = picked ? user : observation.shown(topic!, user)
      return { key: user.key, shown, hasLeft: user.leftAt !== undefined }
    })
    users.root.hidden = !found.length
    emptyUsers.hidden = found.length > 0
    const isUnknown = !view || view.status === "joining"
    setText(
      emptyUsers,
      all.length ? "No user matches." : isUnknown ? "The users are not known yet." : "Nobody is here.",
    )
    const index = found.findIndex(({ key }) => key === wantedUser)
    users.update(items, index)
    return items[index]
  }

  const drawTimeline = (topic: string | undefined, wanted: string): void => {
    const { entries } = observation
    tabs.count("timeline", entries.length)
    if (tabs.selected !== "timeline") return
    const kinds: Record<Shows, (entry: TimelineEntry) => boolean> = {
      all: () => true,
      room: (entry) => entry.topic === topic,
      messages: ({ kind }) => kind === "in" || kind === "out" || kind === "dropped",
      changes: ({ kind }) => kind === "change",
    }
    const isShown = kinds[shows.value as Shows]
    const found = entries.filter(
      (entry) =>
        isShown(entry) && (!wanted || `${entry.topic} ${entry.name} ${entry.text}`.toLowerCase().includes(wanted)),
    )
    timeline.root.hidden = !found.length
    emptyTimeline.hidden = found.length > 0
    setText(emptyTimeline, entries.length ? "No entry matches." : "Nothing has happened yet.")
    warning.hidden = observation.failed === 0
    setText(warning, `${observation.failed} entries are incomplete, for instance because "redact" threw an error.`)
    timeline.update(found, picked ? found.indexOf(picked) : -1)
  }

  const drawDetail = (user: UserItem | undefined): void => {
    const item = tabs.selected === "timeline" ? picked : user
    body.classList.toggle("detailed", item !== undefined)
    const shown = item && "shown" in item ? item.shown : item
    if (shown === shownDetail && detail.childElementCount) return
    shownDetail = shown
    if (item) detail.replaceChildren(...("shown" in item ? userDetail(item) : entryDetail(item)))
    else
      detail.replaceChildren(
        element(
          "p",
          { class: "empty" },
          tabs.selected === "users"
            ? "Choose a user to see each of its devices."
            : "Choose an entry to go back to its moment.",
        ),
      )
  }

  const draw = (): void => {
    frame = 0
    if (!root.isConnected) return
    state.dataset["is"] = connection.status
    setText(stateText, connection.status)
    tools.draw()
    root.classList.toggle("past", picked !== undefined)
    shows.hidden = tabs.selected === "users"
    const wanted = filter.value.trim().toLowerCase()
    const topic = drawRooms()
    const user = drawUsers(topic, wanted)
    drawTimeline(topic, wanted)
    drawDetail(user)
    const index = picked ? observation.entries.indexOf(picked) : -1
    travel.draw(observation.entries, picked && index < 0 ? undefined : index)
  }

  const schedule = (): void => {
    frame ||= requestAnimationFrame(draw)
  }

  const look = (): void => {
    schedule()
    timer = timers.set(look, LOOK_MS)
  }

  const undo = observation.onChange(schedule)
  tabs.select("users")
  look()
  return {
    root,
    focus: () => tabs.focus(),
    schedule,
    stop() {
      undo()
      cancelAnimationFrame(frame)
      timers.clear(timer)
    },
  }
}

/** An array of items that are made when they are read: of ten thousand users, only the visible ones are made. */
function lazily<Item>(length: number, make: (at: number) => Item): readonly Item[] {
  return new Proxy([] as Item[], {
    get(target, name) {
      if (name === "length") return length
      const at = typeof name === "string" ? Number(name) : Number.NaN
      if (Number.isInteger(at)) return at >= 0 && at < length ? (target[at] ??= make(at)) : undefined
      return Reflect.get(target, name) as unknown
    },
  })
}
