import type { TrackerMessage } from "rollcall/testing"
import type { Action } from "./actions.js"
import type { Flight } from "./flight.js"

/** Returns `Ada`, `Ada and Ben`, or `Ada, Ben and Cleo`. */
export function listOf(names: readonly string[]): string {
  const last = names.at(-1) ?? "nobody"
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`
}

/** Returns ranges `[1, 3, 5, 5]` as `1–3, 5`. */
export function rangesOf(ranges: readonly number[]): string {
  const parts: string[] = []
  for (let index = 0; index < ranges.length; index += 2) {
    const [from, to] = [ranges[index] ?? 0, ranges[index + 1] ?? 0]
    parts.push(from === to ? String(from) : `${from}–${to}`)
  }
  return parts.join(", ")
}

/** What is needed of a cluster for a sentence. */
interface Situation {
  node(
    name: string,
  ): { readonly isUp: boolean; person(name: string): { readonly isAway: boolean } | undefined } | undefined
}

/** Says what an action does; `undefined` for one that needs no words, or does nothing. */
export function sentenceOfAction(action: Action, situation: Situation): string | undefined {
  switch (action.do) {
    case "add": {
      const node = situation.node(action.node)
      if (node === undefined || node.person(action.name) !== undefined) return undefined
      return `${action.name} opened the page on ${action.node}${node.isUp ? "." : ", which is down: the page waits."}`
    }
    case "remove":
      if (situation.node(action.node)?.person(action.name) === undefined) return undefined
      return `${action.name} closed the page on ${action.node}.`
    case "away": {
      const person = situation.node(action.node)?.person(action.name)
      return person && `${action.name} is ${person.isAway ? "back" : "away"}.`
    }
    case "crash":
      if (situation.node(action.node)?.isUp !== true) return undefined
      return `${action.node} crashed, without a goodbye. Its pages wait for it.`
    case "restart":
      if (situation.node(action.node)?.isUp !== false) return undefined
      return `${action.node} started again, and knows nothing. It counts its changes from 1, under a new name.`
    case "split":
      return `The network is cut: ${listOf(action.nodes)} on one side.`
    case "heal":
      return "The cut is healed."
    case "repeat":
      return "The network sends a message twice."
    default:
      return undefined
  }
}

/** Says what a message does when it has ended; `undefined` while it is under way, and for a mere sign of life. */
export function sentenceOfFlight({ message, read }: Flight): string | undefined {
  const { from, to, state } = message
  if (state === "underway" || read === undefined) return undefined
  const what = nounOf(read)
  if (state === "lost") return what === undefined ? undefined : `${what} from ${from} to ${to} was lost.`
  return what === undefined ? undefined : `${what} from ${from} reached ${to}.`
}

/** Returns what a message is; `undefined` for a sign of life. */
function nounOf(read: TrackerMessage): string | undefined {
  switch (read.type) {
    case "heartbeat":
      return read.parts.length > 0 ? `The news (${newsOf(read)})` : undefined
    case "transferRequest":
      return "The question “what do I lack?”"
    case "transferResponse":
      return "An answer"
    case "goodbye":
      return "A goodbye"
    case "staleRefNotice":
      return "The notice “you count as gone here”"
  }
}

/** Returns the short label of a message under way. */
export function labelOf(read: TrackerMessage | undefined): string {
  switch (read?.type) {
    case "heartbeat":
      return read.parts.length > 0 ? newsOf(read) : "alive"
    case "transferRequest":
      return "what do I lack?"
    case "transferResponse":
      return "answer"
    case "goodbye":
      return "goodbye"
    default:
      return "notice"
  }
}

/** Says which changes a message carries: `+Ada · 2–3 over`. A change without a row is over: a removal, or what it has removed. */
function newsOf({ parts }: TrackerMessage): string {
  const rows = parts.flatMap(({ rows }) => rows.map(({ key }) => `+${key}`))
  const over = parts.map(({ seen, rows }) => rangesOf(without(seen, new Set(rows.map(({ clock }) => clock)))))
  return [rows.join(", "), ...over.map((text) => text && `${text} over`)].filter((text) => text !== "").join(" · ")
}

/** Returns ranges without some of their numbers. A message of this page carries a few. */
function without(ranges: readonly number[], left: ReadonlySet<number>): number[] {
  const result: number[] = []
  for (let index = 0; index < ranges.length; index += 2) {
    for (let clock = ranges[index] ?? 0; clock <= (ranges[index + 1] ?? -1); clock += 1) {
      if (left.has(clock)) continue
      if (result.at(-1) === clock - 1) result[result.length - 1] = clock
      else result.push(clock, clock)
    }
  }
  return result
}
