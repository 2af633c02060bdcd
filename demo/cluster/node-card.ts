import type { Action } from "./actions.js"
import { agreementOf } from "./agreement.js"
import type { Cluster } from "./cluster.js"
import type { ClusterNode, Shown } from "./cluster-node.js"
import { element } from "../element.js"
import { keyedList, setText } from "./keyed-list.js"
import type { Part } from "./keyed-list.js"
import { createSeenList } from "./seen-list.js"
import { createReceivedList } from "./received-list.js"

const NAMES = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "June", "Kim", "Lea", "Max", "Nora"]

/** What a card shows besides its node. */
export interface CardContext {
  readonly cluster: Cluster
  readonly shows: "phoenix" | "tombstones" | undefined
}

/** Creates the card of a node: its people, what it has seen, and what its pages received. */
export function createNodeCard(name: string, act: (action: Action) => void): Part<CardContext> {
  const root = element("li", "card node")
  root.dataset["node"] = name
  const head = element("div", "node-head")
  const title = element("h3", "", name)
  const state = element("span", "state")
  const power = button("Crash", `Crash ${name}`)
  head.append(title, state, power)
  const people = element("ul", "people")
  people.setAttribute("role", "list")
  people.setAttribute("aria-label", `Whom ${name} shows`)
  const nobody = element("p", "hint", "Nobody is here.")
  const add = button("Add somebody", `Add somebody to ${name}`)
  const seen = createSeenList()
  const beside = element("p", "beside")
  const [besideLabel, besideValue, besideClocks] = [element("span", ""), element("strong", ""), element("code", "")]
  beside.append(besideLabel, besideValue, besideClocks)
  const received = createReceivedList(name)
  root.append(head, people, nobody, add, beside, seen.root, received.root)

  let context: CardContext | undefined
  const nodeOf = (): ClusterNode | undefined => context?.cluster.node(name)
  add.addEventListener("click", () => {
    const taken = new Set(context?.cluster.nodes.flatMap(({ people }) => people.map((person) => person.name)))
    const free = NAMES.find((each) => !taken.has(each)) ?? `Guest ${taken.size + 1}`
    act({ do: "add", node: name, name: free })
  })
  power.addEventListener("click", () => act({ do: nodeOf()?.isUp === true ? "crash" : "restart", node: name }))
  const showPeople = keyedList<PersonLine>(
    people,
    ({ key }) => key,
    (line) => createPersonLine(line, act, add),
  )

  return {
    root,
    update(next) {
      context = next
      const node = next.cluster.node(name)
      if (node === undefined) return
      const { isUp, shown } = node
      root.toggleAttribute("data-down", !isUp)
      setText(state, isUp ? "runs" : "crashed")
      setText(power, isUp ? "Crash" : "Start again")
      power.setAttribute("aria-label", `${isUp ? "Crash" : "Start"} ${name}${isUp ? "" : " again"}`)
      const ghosts = agreementOf(next.cluster).differences.get(name)?.ghosts ?? []
      const lines = shown.map((one) => ({
        ...one,
        key: `${one.key}@${one.node}`,
        name: one.key,
        isOwn: one.node === name,
        isGhost: ghosts.some((ghost) => ghost.key === one.key && ghost.node === one.node),
        isWaiting: false,
      }))
      // Pages whose node is down wait for it.
      const waiting = isUp ? [] : node.people.map(({ name: key = "" }) => waitingLine(key, name))
      const all = [...lines, ...waiting]
      showPeople(all)
      nobody.hidden = all.length > 0
      setText(nobody, isUp ? "It shows nobody." : "Its memory is gone.")
      seen.update(node)
      showBeside(next)
      received.update(node)
    },
  }

  function showBeside({ cluster, shows }: CardContext): void {
    const view = cluster.beside?.find(({ node }) => node === name)
    const isShown = shows !== undefined && nodeOf()?.isUp === true && (shows === "tombstones" || view !== undefined)
    beside.hidden = !isShown
    if (!isShown) return
    const mine = nodeOf()?.shown.map(({ key }) => key) ?? []
    const ghosts = view?.keys.filter((key) => !mine.includes(key)) ?? []
    beside.toggleAttribute("data-differs", shows === "phoenix" && ghosts.length > 0)
    setText(
      besideLabel,
      shows === "phoenix" ? "By Phoenix’s rules, from the same messages" : "A set with tombstones would keep",
    )
    setText(
      besideValue,
      shows === "phoenix"
        ? view?.keys.join(", ") || "nobody"
        : `${cluster.removals} tombstones here; this one keeps none`,
    )
    setText(besideClocks, shows === "phoenix" ? (view?.clocks ?? "") : "")
  }
}

interface PersonLine extends Omit<Shown, "key"> {
  readonly key: string
  readonly name: string
  readonly isOwn: boolean
  /** Whether it is shown, although nobody holds it any more. */
  readonly isGhost: boolean
  /** Whether its page waits for a node that is down. */
  readonly isWaiting: boolean
}

function waitingLine(name: string, node: string): PersonLine {
  return { key: `${name} waits`, name, node, clock: 0, isAway: false, isOwn: false, isGhost: false, isWaiting: true }
}

function createPersonLine(first: PersonLine, act: (action: Action) => void, add: HTMLElement): Part<PersonLine> {
  const { name, node } = first
  const root = element("li", "person")
  root.dataset["from"] = node
  const avatar = element("span", "avatar", initialsOf(name))
  avatar.setAttribute("aria-hidden", "true")
  const label = element("span", "name", name)
  const note = element("small", "note-of")
  const dot = element("code", "row-dot")
  root.append(avatar, label, note, dot)
  const buttons = element("span", "person-buttons")
  const away = button("", "")
  const leave = button("×", `${name} leaves ${node}`)
  away.addEventListener("click", () => act({ do: "away", node, name }))
  leave.addEventListener("click", () => {
    act({ do: "remove", node, name })
    add.focus()
  })
  buttons.append(away, leave)
  return {
    root,
    update({ isOwn, isGhost, isWaiting, isAway, clock, node: home }) {
      root.toggleAttribute("data-ghost", isGhost)
      root.toggleAttribute("data-away", isAway || isWaiting)
      setText(note, isWaiting ? "waits" : isGhost ? "out of date" : isAway ? "away" : isOwn ? "" : `on ${home}`)
      setText(dot, isWaiting ? "" : `{${home}, ${clock}}`)
      setText(away, isAway ? "Back" : "Away")
      away.setAttribute("aria-label", isAway ? `${name} is back` : `${name} goes away`)
      if (isOwn && buttons.parentNode === null) root.append(buttons)
    },
  }
}

/** Returns `A` for Ada, and `10` for user10. */
function initialsOf(name: string): string {
  return /\d+$/.exec(name)?.[0] ?? name.charAt(0)
}

export function button(text: string, label: string): HTMLButtonElement {
  const made = element("button", "plain small", text) as HTMLButtonElement
  made.type = "button"
  if (label !== "") made.setAttribute("aria-label", label)
  return made
}
