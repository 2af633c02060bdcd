import type { SeenReplica } from "rollcall/tracker"
import type { ClusterNode } from "./cluster-node.js"
import { element } from "../element.js"
import { keyedList, setText } from "./keyed-list.js"
import type { Part } from "./keyed-list.js"
import { rangesOf } from "./sentences.js"

/** Creates the list of what a node has seen of each node: `{node1 ≥ 3} + 5`. */
export function createSeenList(): Part<ClusterNode> {
  const root = element("div", "seen")
  const list = element("ul", "contexts")
  list.setAttribute("role", "list")
  root.append(element("h4", "", "Has seen"), list)
  const show = keyedList<SeenReplica>(list, ({ ref }) => ref, createSeen)
  return {
    root,
    update({ seen, isUp }) {
      root.hidden = !isUp
      show([...seen].sort((a, b) => (a.node < b.node ? -1 : 1)))
    },
  }
}

function createSeen({ node }: SeenReplica): Part<SeenReplica> {
  const root = element("li", "context")
  root.dataset["from"] = node
  const context = element("code", "")
  const cloud = element("code", "cloud")
  const kept = element("small", "")
  root.append(context, cloud, kept)
  return {
    root,
    update({ seen, status, rows }) {
      const [from, to] = seen
      const isContext = from === 1
      setText(context, `{${node} ≥ ${isContext ? to : 0}}`)
      const beyond = isContext ? seen.slice(2) : seen
      cloud.hidden = beyond.length === 0
      setText(cloud, `+ ${rangesOf(beyond)}`)
      root.toggleAttribute("data-down", status === "down")
      const names = rows.map(({ key }) => key).join(", ")
      setText(kept, status === "up" ? "" : `silent${names === "" ? "" : `: ${names} kept, not shown`}`)
    },
  }
}
