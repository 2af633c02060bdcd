import { readActions } from "./actions.js"
import type { Action } from "./actions.js"
import type { Cluster } from "./cluster.js"

/** One step of a scene: a sentence about what happens and why, and the actions. */
export interface Step {
  readonly say: string
  readonly actions: readonly Action[]
}

/** A prepared run, which shows one idea. */
export interface Scene {
  readonly id: string
  readonly title: string
  /** Two or three sentences: the question, and the idea. */
  readonly about: string
  readonly seed: number
  readonly steps: readonly Step[]
  /** What holds at the end, in words, and whether it does. */
  readonly claim: string
  readonly holds: (cluster: Cluster) => boolean
  /** What of the nodes this scene is about: shown open. */
  readonly shows?: "phoenix" | "tombstones"
}

const step = (say: string, actions: string): Step => ({ say, actions: readActions(actions) })

/** Whom each node shows: `Ada Ben | Ada Ben | Ada Ben`; `-` for a node that is down. */
export const shownBy = (cluster: Cluster): string =>
  cluster.nodes
    .map(({ isUp, shown }) =>
      isUp
        ? shown
            .map(({ key }) => key)
            .sort()
            .join(" ")
        : "-",
    )
    .join(" | ")

/** How far a node has seen each node that is up: `node1 3, node2 2`, and clouds behind a plus. */
export const contextOf = (cluster: Cluster, name: string): string =>
  (cluster.node(name)?.seen ?? [])
    .filter(({ status }) => status === "up")
    .map(({ node, seen: [from, to, ...cloud] }) => {
      const context = from === 1 ? (to ?? 0) : 0
      const gap = from === 1 || from === undefined ? cloud : [from, to, ...cloud]
      return `${node} ${context}${gap.length === 0 ? "" : ` + ${gap.join("-")}`}`
    })
    .sort()
    .join(", ")

const all = (names: string): string => [names, names, names].join(" | ")

export const SCENES: readonly Scene[] = [
  {
    id: "shared",
    title: "Why no shared database?",
    about:
      "Who is here? The obvious answer is one database that all servers write to. But then a server that cannot reach it can let " +
      "nobody in, and when a server dies, nobody deletes its people. Here each node keeps a copy of its own, and they talk.",
    seed: 1,
    steps: [
      step("Ada, Ben and Cleo open the page, each on another node.", "add:node1:Ada;add:node2:Ben;add:node3:Cleo"),
      step("Each node sends its news to the others. A second later all show the same three people.", "wait:1100"),
      step("Now the network is cut: node3 reaches nobody.", "split:node3"),
      step(
        "Dan opens the page on node3, and Eve on node1. With a database behind the cut, Dan would see an error. Here his node " +
          "knows what it needs to know.",
        "add:node3:Dan;add:node1:Eve;wait:1100",
      ),
      step(
        "After 9 seconds of silence each side stops showing the other side's people. It only hides them: nothing is deleted.",
        "wait:11000",
      ),
      step("The cut heals. The nodes hear of each other again, ask for what they lack, and agree.", "heal;wait:6000"),
      step(
        "And a node that dies? node2 crashes, so nobody says goodbye for Ben. The others notice the silence, and Ben leaves.",
        "crash:node2;wait:13000",
      ),
    ],
    claim:
      "Nobody was refused, all agree after the cut, and the crashed node's people left without anybody deleting a row.",
    holds: (cluster) => shownBy(cluster) === "Ada Cleo Dan Eve | - | Ada Cleo Dan Eve",
  },
  {
    id: "discard",
    title: "Does node2 add or discard user1?",
    about:
      "“user1 is here” arrives at node2, which does not show user1. Is that new, or is it an old message of somebody who has left? " +
      "The clocks of two machines cannot tell. A number can: each change of a node has one, and node2 remembers which it has seen.",
    seed: 2,
    steps: [
      step(
        "user1 opens the page on node1: its change number 1. The network sends the news to node2 twice.",
        "add:node1:user1;wait:60;repeat:node1>node2",
      ),
      step("The first copy arrives. node2 has not seen change 1 of node1, so it adds user1.", "hurry:node1>node2:1"),
      step(
        "user1 closes the page: change number 2. node2 hears of it, and removes user1.",
        "remove:node1:user1;wait:60;hurry:node1>node2:last",
      ),
      step(
        "Now the late copy arrives: “user1, change 1”. node2 does not show user1. But it has seen change 1 of node1, so this is " +
          "old, and is discarded.",
        "hurry:node1>node2",
      ),
      step(
        "user1 really comes back: change number 3. node2 has not seen it, and adds user1.",
        "add:node1:user1;wait:60;hurry:node1>node2",
      ),
      step("All messages have arrived.", "wait:4000"),
    ],
    claim:
      "The late copy was discarded, and the return was added: all nodes show user1, who came with change 3 of node1.",
    holds: (cluster) =>
      shownBy(cluster) === all("user1") && cluster.nodes.every(({ shown }) => shown.every(({ clock }) => clock === 3)),
  },
  {
    id: "clocks",
    title: "Vector clocks: who lacks what?",
    about:
      "How does a node notice that it has missed something? Each node writes down how far it has seen the changes of each node. " +
      "These numbers together are a vector clock. Whoever compares two of them sees who lacks what, and asks just that node.",
    seed: 3,
    steps: [
      step("Ada comes to node1, and Ben to node2. The news go out.", "add:node1:Ada;add:node2:Ben;wait:60"),
      step("The message from node1 to node3 is lost.", "lose:node1>node3"),
      step("The others arrive. node3 does not know Ada, and does not know that it lacks anything.", "wait:1000"),
      step(
        "Cleo comes to node1: its change 2. node3 gets it, and now sees a gap: of node1 it has 2, but not 1.",
        "add:node1:Cleo;wait:60;hurry:node1>node3:last",
      ),
      step("So node3 asks node1: “I have 0 in a row of yours. What do I lack?”", "wait:700"),
      step("The answer brings Ada.", "wait:3000"),
    ],
    claim: "All three vector clocks are equal, so nobody lacks anything: node1 2, node2 1, node3 0, on every node.",
    holds: (cluster) =>
      shownBy(cluster) === all("Ada Ben Cleo") &&
      cluster.nodes.every(({ name }) => contextOf(cluster, name) === "node1 2, node2 1, node3 0"),
  },
  {
    id: "tombstones",
    title: "Tombstones against none",
    about:
      "A set that must not bring back the removed usually keeps a tombstone for each of them: “Ada was removed”, for ever. In a busy " +
      "room these are millions. Here one number per node is enough: what is seen and has no row is gone.",
    seed: 4,
    steps: [
      step("Zoe comes to node2, and stays.", "add:node2:Zoe;wait:1100"),
      step(
        "Six people come to node1, and go again.",
        "add:node1:Ada;add:node1:Ben;add:node1:Cleo;wait:1100;remove:node1:Ada;remove:node1:Ben;remove:node1:Cleo;add:node1:Dan;add:node1:Eve;add:node1:Finn;wait:1100;remove:node1:Dan;remove:node1:Eve;remove:node1:Finn",
      ),
      step("All nodes hear of it.", "wait:1200"),
      step(
        "And six more.",
        "add:node1:Ada;add:node1:Ben;add:node1:Cleo;add:node3:Dan;add:node3:Eve;add:node3:Finn;wait:1100;remove:node1:Ada;remove:node1:Ben;remove:node1:Cleo;remove:node3:Dan;remove:node3:Eve;remove:node3:Finn;wait:4000",
      ),
    ],
    claim:
      "12 people have left. A set with tombstones would keep 12 of them on each node. Here each node keeps one row, Zoe's, and three numbers.",
    holds: (cluster) =>
      shownBy(cluster) === all("Zoe") &&
      cluster.removals === 12 &&
      cluster.nodes.every(({ name }) => contextOf(cluster, name) === "node1 18, node2 1, node3 6"),
    shows: "tombstones",
  },
  {
    id: "compact",
    title: "Compacted: {n1 ≥ 3}, {n2 ≥ 2}, {n3 ≥ 4}",
    about:
      "Messages arrive in any order. What a node has seen beyond a gap is its cloud. When the gap is filled, the cloud becomes part " +
      "of the context, and in the end a single number for each node says: all up to here.",
    seed: 5,
    steps: [
      step("On node1, user10 comes: its change 1.", "add:node1:user10;wait:60"),
      step(
        "user11 comes to node1 and leaves: changes 2 and 3. On node2, user2 and user3 come: its changes 1 and 2.",
        "add:node1:user11;wait:60;remove:node1:user11;add:node2:user2;wait:60;add:node2:user3;wait:60",
      ),
      step(
        "The messages overtake each other. First node3 hears “2 and 3 of node1 are over”, and of change 2 of node2. Before both is a gap: two clouds.",
        "hurry:node1>node3:3;hurry:node2>node3:last",
      ),
      step(
        "Then change 1 of node1 arrives. The gap is filled, and the cloud becomes part of the context: {node1 ≥ 3}.",
        "hurry:node1>node3:1",
      ),
      step(
        "Change 2 of node1 comes last, and brings user11. node3 has seen 2, so it discards user11. No tombstone was needed.",
        "hurry:node1>node3:1",
      ),
      step(
        "On node3 two people come and go: four changes. Everything else arrives.",
        "add:node3:user5;remove:node3:user5;add:node3:user6;remove:node3:user6;wait:5000",
      ),
    ],
    claim:
      "Nine changes are three numbers: {node1 ≥ 3}, {node2 ≥ 2}, {node3 ≥ 4}, with the rows user10 {node1, 1}, user2 {node2, 1} and user3 {node2, 2}.",
    holds: (cluster) =>
      cluster.nodes.every(
        ({ name, shown }) =>
          contextOf(cluster, name) === "node1 3, node2 2, node3 4" &&
          shown
            .map(({ key, node, clock }) => `${key} ${node} ${clock}`)
            .sort()
            .join() === "user10 node1 1,user2 node2 1,user3 node2 2",
      ),
  },
  {
    id: "phoenix",
    title: "Where Phoenix's own rules diverge",
    about:
      "Phoenix sends these messages over Erlang's connections, which keep the order. Over Redis or NATS they may be lost, doubled or " +
      "late. Then one of Phoenix's rules, to forget that a removed row was seen, brings back somebody who has left: for good.",
    seed: 6,
    steps: [
      step("Ada comes to node1: change 1. The message to node2 is slow.", "add:node1:Ada;wait:60"),
      step(
        "Ben comes to node1: change 2. It overtakes the first, and will arrive twice.",
        "add:node1:Ben;wait:60;repeat:node1>node2:last;hurry:node1>node2:2",
      ),
      step("node2 sees a gap and asks, but its question is lost.", "wait:30;lose:node2>node1"),
      step("Ben leaves: change 3. node2 removes Ben, in both sets.", "remove:node1:Ben;wait:60;hurry:node1>node2:last"),
      step(
        "Change 2 arrives again: “Ben is here”. Rollcall has seen 2 and discards it. Phoenix has forgotten that, and adds Ben.",
        "hurry:node1>node2:2",
      ),
      step(
        "At last change 1 arrives. Now both nodes have seen all three changes, by either rule.",
        "hurry:node1>node2:1",
      ),
      step(
        "Time passes. The clocks are equal, so no node asks, and nothing will ever remove Phoenix's Ben.",
        "wait:9000",
      ),
    ],
    claim:
      "By Rollcall's rules all nodes show Ada. By Phoenix's, node2 shows Ben, too, who has left, with clocks that are equal everywhere.",
    holds: (cluster) => {
      const views = cluster.beside ?? []
      return (
        shownBy(cluster) === all("Ada") &&
        views.map(({ keys }) => keys.join(" ")).join(" | ") === "Ada | Ada Ben | Ada" &&
        new Set(views.map(({ clocks }) => clocks)).size === 1
      )
    },
    shows: "phoenix",
  },
  {
    id: "storm",
    title: "All at once",
    about:
      "A third of the messages is lost, a fifth is doubled, half may be overtaken. People come and go, the network is cut, a node is " +
      "killed. The nodes disagree for a while, as they must. Then the weather clears.",
    seed: 7,
    steps: [
      step("The network gets bad.", "loss:33;double:20;reorder:50;delay:2000"),
      step(
        "People come to all nodes, and some leave.",
        "add:node1:Ada;add:node2:Ben;wait:500;add:node3:Cleo;add:node1:Dan;wait:700;remove:node2:Ben;add:node2:Eve;wait:600;away:node1:Ada;add:node3:Finn;wait:900",
      ),
      step("The network is cut, and goes on being bad.", "split:node1;add:node1:Gus;remove:node3:Cleo;wait:3000"),
      step("node2 is killed, with Eve on it.", "crash:node2;wait:2500"),
      step(
        "It starts again. Eve's page connects again, and the node has to learn everything anew.",
        "restart:node2;add:node2:Hana;wait:3000",
      ),
      step("The cut heals, and the messages arrive again.", "heal;loss:0;double:0;reorder:0;delay:900;wait:500"),
      step("The nodes compare clocks and ask each other.", "wait:15000"),
    ],
    claim: "After a few seconds without disturbance all nodes agree, and show exactly the people who are connected.",
    holds: (cluster) => shownBy(cluster) === all("Ada Dan Eve Finn Gus Hana"),
  },
]
