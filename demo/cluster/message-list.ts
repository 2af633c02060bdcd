import type { Action } from "./actions.js"
import type { Cluster } from "./cluster.js"
import type { Flight } from "./flight.js"
import { element, find } from "../element.js"
import { keyedList, setText } from "./keyed-list.js"
import type { Part } from "./keyed-list.js"
import { button } from "./node-card.js"
import { labelOf, rangesOf } from "./sentences.js"

/** Ended messages that are listed below those under way. */
const LISTED = 6

/** The messages under way and the latest ones as buttons, and the one that was chosen, opened. */
export interface MessageList {
  update(cluster: Cluster): void
  choose(id: number): void
}

export function createMessageList(act: (action: Action) => void): MessageList {
  const detail = find("detail")
  const show = keyedList<Flight>(find("messages"), ({ message }) => String(message.id), createLine)
  let chosen: Flight | undefined
  let cluster: Cluster | undefined
  let written = ""

  function choose(id: number): void {
    const known = [...(cluster?.flights.underway ?? []), ...(cluster?.flights.ended ?? [])]
    const next = known.find(({ message }) => message.id === id)
    chosen = next === chosen ? undefined : next
    written = ""
    showDetail()
    if (cluster !== undefined) update(cluster)
  }

  function createLine({ message: { id, from, to }, read }: Flight): Part<Flight> {
    const root = element("li", "message")
    root.dataset["from"] = from
    const open = button("", "")
    const state = element("span", "message-state")
    open.append(
      element("span", "message-way", `${from} → ${to}`),
      element("span", "message-label", labelOf(read)),
      state,
    )
    open.addEventListener("click", () => choose(id))
    root.append(open)
    return {
      root,
      update({ message }) {
        root.dataset["state"] = message.state
        setText(state, { underway: "under way", arrived: "arrived", lost: "lost" }[message.state])
        open.setAttribute("aria-expanded", String(chosen?.message === message))
      },
    }
  }

  function showDetail(): void {
    detail.hidden = chosen === undefined
    if (chosen === undefined) return
    const { message } = chosen
    const text = `${message.id} ${message.state}`
    if (text === written) return
    written = text
    const buttons = element("div", "row wrap")
    if (message.state === "underway") {
      const does = [
        ["lose", "Lose it"],
        ["hurry", "Deliver it now"],
        ["repeat", "Send it twice"],
      ] as const
      for (const [name, label] of does) {
        const made = button(label, "")
        made.addEventListener("click", () => act({ do: name, which: `#${message.id}` }))
        buttons.append(made)
      }
    }
    const size = `${message.bytes.length} bytes, sent at ${seconds(message.sentAt)}`
    const lines = contentOf(chosen).map((line) => element("li", "", line))
    const content = element("ul", "content")
    content.append(...lines)
    detail.replaceChildren(
      element("h3", "", `Message ${message.id}, from ${message.from} to ${message.to}`),
      content,
      buttons,
      element("p", "hint", size),
    )
  }

  function update(next: Cluster): void {
    if (cluster !== next) {
      cluster = next
      chosen = undefined
    }
    const { underway, ended } = next.flights
    const isAlive = ({ read }: Flight): boolean => labelOf(read) === "alive"
    const hasContent = (flight: Flight): boolean => !isAlive(flight)
    // The signs of life come last: they are many, and say little.
    const listed = [
      ...underway.filter(hasContent),
      ...ended.filter(hasContent).slice(0, LISTED),
      ...underway.filter(isAlive),
    ]
    show(listed)
    find("no-messages").hidden = listed.length > 0
    showDetail()
  }
  return { update, choose }
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Says what a message carries, line by line. */
function contentOf({ read }: Flight): string[] {
  if (read === undefined) return ["Not a message between trackers."]
  const { type, parts, clocks, requests } = read
  const lines: string[] = []
  for (const part of parts) {
    const rows = part.rows.map(({ key, clock }) => `${key} {${part.node}, ${clock}}`)
    const changes = rangesOf(part.seen)
    const noun = /[–,]/.test(changes) ? "changes" : "change"
    const left = rows.length > 0 ? `Still here: ${rows.join(", ")}.` : "Nobody of it is here."
    if (changes !== "") lines.push(`It carries ${noun} ${changes} of ${part.node}. ${left}`)
  }
  if (type === "heartbeat") lines.push("“I am alive.” Every node says so every three seconds, and with each change.")
  if (type === "transferRequest") lines.push("“What do I lack?” The answer brings all that is beyond these clocks.")
  if (type === "transferResponse") lines.push("The answer to a question.")
  if (type === "staleRefNotice") lines.push("“You count as gone here: start under a new name.”")
  const known = clocks.map(({ node, clock }) => `${node} ${clock}`)
  if (known.length > 0) lines.push(`Its clocks: ${known.join(", ")}.`)
  if (requests === "heartbeat") lines.push("“I have just come: tell me of yourself.”")
  if (requests === "clocks") lines.push("“Our clocks differ: send me all of yours.”")
  return lines
}
