/** One thing that happens to the cluster. A run is its seed and its actions: the same ones give the same run. */
export type Action =
  /** Lets virtual time pass, in ms. */
  | { readonly do: "wait"; readonly ms: number }
  /** Somebody comes to a node, leaves it, or changes between away and back. */
  | { readonly do: "add" | "remove" | "away"; readonly node: string; readonly name: string }
  /** The process of a node is killed, or started again. */
  | { readonly do: "crash" | "restart"; readonly node: string }
  /** The network is cut: between these nodes and the others. */
  | { readonly do: "split"; readonly nodes: readonly string[] }
  | { readonly do: "heal" }
  /** The share of messages that are lost, doubled, or may be overtaken, in percent. */
  | { readonly do: "loss" | "double" | "reorder"; readonly percent: number }
  /** The greatest time that a message takes, in ms. The least is half of it. */
  | { readonly do: "delay"; readonly ms: number }
  /**
   * Messages under way are lost, arrive now, or are sent once more: `#17` is a message by its number, `node1>node2` all between
   * these nodes, `node1>node2:1` the oldest of them, `node1>node2:last` the newest.
   */
  | { readonly do: "lose" | "hurry" | "repeat"; readonly which: string }

/** Writes actions for the URL: `add:node1:Ada;wait:500`. */
export function writeActions(actions: readonly Action[]): string {
  return actions.map(writeAction).join(";")
}

function writeAction(action: Action): string {
  switch (action.do) {
    case "wait":
    case "delay":
      return `${action.do}:${action.ms}`
    case "add":
    case "remove":
    case "away":
      return `${action.do}:${action.node}:${encodeURIComponent(action.name)}`
    case "crash":
    case "restart":
      return `${action.do}:${action.node}`
    case "split":
      return `split:${action.nodes.join(",")}`
    case "heal":
      return "heal"
    case "loss":
    case "double":
    case "reorder":
      return `${action.do}:${action.percent}`
    case "lose":
    case "hurry":
    case "repeat":
      return `${action.do}:${action.which}`
  }
}

/**
 * Reads what `writeActions` has written.
 * @throws Error with the part that is no action
 */
export function readActions(text: string): Action[] {
  const actions = text === "" ? [] : text.split(";").map(readAction)
  if (actions.length > MAX_ACTIONS) {
    throw new Error(`expected at most ${MAX_ACTIONS} actions in the link, got ${actions.length}`)
  }
  const ms = actions.reduce((sum, action) => sum + (action.do === "wait" ? action.ms : 0), 0)
  if (ms > MAX_WAIT_MS) {
    throw new Error(`expected the waits of the link to be at most ${MAX_WAIT_MS} ms together, got ${ms}`)
  }
  return actions
}

/** The longest time that a link waits, in ms: it must not keep the page busy for long. */
const MAX_WAIT_MS = 3_600_000
/** The most actions of a link, and the longest name of a person in it. */
const MAX_ACTIONS = 5_000
const MAX_NAME_LENGTH = 40

function readAction(text: string): Action {
  const [name, ...rest] = text.split(":")
  const first = rest[0] ?? ""
  const number = /^\d+$/.test(first) ? Number(first) : NaN
  switch (name) {
    case "wait":
      if (number <= MAX_WAIT_MS) return { do: name, ms: number }
      break
    case "delay":
      if (number >= 1 && number <= 60_000) return { do: name, ms: number }
      break
    case "add":
    case "remove":
    case "away": {
      const person = nameIn(rest[1] ?? "")
      if (first !== "" && person !== "" && person.length <= MAX_NAME_LENGTH)
        return { do: name, node: first, name: person }
      break
    }
    case "crash":
    case "restart":
      if (first !== "") return { do: name, node: first }
      break
    case "split":
      if (first !== "") return { do: name, nodes: first.split(",") }
      break
    case "heal":
      return { do: name }
    case "loss":
    case "double":
    case "reorder":
      if (number <= 100) return { do: name, percent: number }
      break
    case "lose":
    case "hurry":
    case "repeat":
      if (first !== "") return { do: name, which: rest.join(":") }
      break
  }
  throw new Error(
    `expected an action such as "add:node1:Ada" or "wait:500" in the link, got ${JSON.stringify(text.slice(0, 100))}`,
  )
}

/** Returns the name of a person as it is in a link; an empty text if it is not encoded as one. */
function nameIn(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ""
  }
}

/** Adds an action to those before it. Two waits become one, so that a link stays short. */
export function appendAction(actions: readonly Action[], action: Action): readonly Action[] {
  const last = actions.at(-1)
  if (action.do !== "wait" || last?.do !== "wait") return [...actions, action]
  return [...actions.slice(0, -1), { do: "wait", ms: last.ms + action.ms }]
}
