import type { ClusterNode } from "./cluster-node.js"
import { element } from "../element.js"
import { keyedList, setText } from "./keyed-list.js"
import type { Part } from "./keyed-list.js"
import type { Person } from "./person.js"

/** Creates the list of what each page of a node received: joins, leaves and updates. It is written only while it is open. */
export function createReceivedList(node: string): Part<ClusterNode> {
  const root = element("details", "received") as HTMLDetailsElement
  const summary = element("summary", "", "What its pages received")
  const list = element("ul", "")
  list.setAttribute("role", "list")
  root.append(summary, list)
  const show = keyedList<Person>(
    list,
    ({ name }) => name ?? "",
    ({ name }) => createReceived(name ?? `A page on ${node}`),
  )
  let latest: ClusterNode | undefined
  root.addEventListener("toggle", () => latest !== undefined && update(latest))
  function update(shown: ClusterNode): void {
    latest = shown
    if (root.open) show([shown.watcher, ...shown.people])
  }
  return { root, update }
}

function createReceived(name: string): Part<Person> {
  const root = element("li", "")
  const lines = element("ol", "received-lines")
  root.append(element("strong", "", name), lines)
  const none = element("small", "", "nothing yet")
  root.append(none)
  const signs = { joined: "+", left: "−", changed: "~" } as const
  const show = keyedList<{ readonly id: string; readonly text: string }>(
    lines,
    ({ id }) => id,
    ({ text }) => {
      const line = element("li", "", text)
      return { root: line, update: (item) => setText(line, item.text) }
    },
  )
  return {
    root,
    update({ received }) {
      none.hidden = received.length > 0
      show(received.map(({ at, kind, key }) => ({ id: `${at} ${kind} ${key}`, text: `${signs[kind]} ${key} ${kind}` })))
    },
  }
}
