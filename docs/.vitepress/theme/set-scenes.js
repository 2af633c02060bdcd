/**
 * The scenes of "How presence works", played with the set that the tracker uses. So what the page shows is what the code does.
 *
 * A scene is a list of steps. `play` returns what each node knows after each step.
 */
import { Orswot } from "../../../src/crdt/orswot.ts"

const TOPIC = "rooms:lobby"

/** Some nodes, each with a set of its own, and the messages that are under way between them. */
class World {
  /** @param {string[]} names */
  constructor(names) {
    this.sets = new Map(names.map((name) => [name, new Orswot(name)]))
    for (const set of this.sets.values()) for (const name of names) set.replicaUp(name)
    /** @type {{ from: string, to: string, label: string, payload: any, isLost: boolean }[]} */
    this.messages = []
    /** @type {string | undefined} */
    this.acting = undefined
  }

  /** A user connects to a node. */
  join(node, key) {
    this.acting = node
    this.sets.get(node).join(`${key}'s connection`, TOPIC, key, {})
  }

  /** A user of a node disconnects. */
  leave(node, key) {
    this.acting = node
    this.sets.get(node).leave(`${key}'s connection`, TOPIC, key)
  }

  /** A node sends what has changed since its last message to some others. */
  publish(from, ...receivers) {
    this.acting = from
    const payload = this.sets.get(from).takeDelta()
    for (const to of receivers) this.#send(from, to, payload)
  }

  /** A node answers another one's request: it sends everything that it knows. */
  answer(from, to) {
    this.acting = from
    this.#send(from, to, this.sets.get(from).extract(to, this.sets.get(to).clocks()))
  }

  /** The oldest message between two nodes arrives. */
  deliver(from, to) {
    this.acting = to
    const message = this.#take(from, to)
    this.sets.get(to).merge(message.payload)
  }

  /** The oldest message between two nodes is lost. */
  lose(from, to) {
    this.acting = undefined
    this.#take(from, to)
  }

  #send(from, to, payload) {
    const rows = [...payload.parts.values()].flatMap(({ rows }) => rows.map(dotOf))
    const seen = [...payload.parts].map(([ref, part]) => `${ref}: ${rangesText(part.seen)}`)
    const label = `${rows.length > 0 ? `rows ${rows.join(", ")}` : "no rows"} · seen ${seen.join("; ")}`
    this.messages.push({ from, to, label, payload, isLost: false })
  }

  #take(from, to) {
    const at = this.messages.findIndex((message) => message.from === from && message.to === to)
    if (at < 0) throw new Error(`expected a message from ${from} to ${to}, got none`)
    return this.messages.splice(at, 1)[0]
  }

  /** What a reader sees: for each node its users, and which dots it has seen. */
  snapshot() {
    const nodes = [...this.sets].map(([name, set]) => {
      const { parts } = set.extract("nobody", set.clocks())
      const sorted = [...parts].sort(([a], [b]) => (a < b ? -1 : 1))
      const seen = sorted.map(([ref, part]) => ({ ref, ...splitRanges(part.seen) }))
      return {
        name,
        isActing: name === this.acting,
        users: set.list(TOPIC).map((row) => ({ key: row.key, dot: dotOf(row) })),
        context: seen.map(({ ref, prefix }) => ({ ref, clock: prefix })),
        cloud: seen.flatMap(({ ref, beyond }) => beyond.map((clock) => `${ref}:${clock}`)),
      }
    })
    return { nodes, messages: this.messages.map(({ from, to, label }) => ({ from, to, label })) }
  }
}

const dotOf = ({ key, ref, clock }) => `${key} (${ref}:${clock})`

/** `[1, 3, 5, 5]` → `1–3, 5` @param {readonly number[]} ranges */
function rangesText(ranges) {
  const texts = []
  for (let at = 0; at < ranges.length; at += 2) {
    texts.push(ranges[at] === ranges[at + 1] ? `${ranges[at]}` : `${ranges[at]}–${ranges[at + 1]}`)
  }
  return texts.join(", ") || "nothing"
}

/** How far there is no gap, and the clocks beyond the first gap. @param {readonly number[]} ranges */
function splitRanges(ranges) {
  const hasPrefix = ranges[0] === 1
  const beyond = []
  for (let at = hasPrefix ? 2 : 0; at < ranges.length; at += 2) {
    for (let clock = ranges[at]; clock <= ranges[at + 1]; clock += 1) beyond.push(clock)
  }
  return { prefix: hasPrefix ? ranges[1] : 0, beyond }
}

/** @typedef {[say: string, run: (world: World) => void]} Step */

export const SCENES = {
  "add-or-discard": {
    title: "Does n2 add or discard user1?",
    nodes: ["n1", "n2", "n3"],
    /** @type {Step[]} */
    steps: [
      ["Three nodes. Nobody is here, and nobody has seen anything.", () => {}],
      [
        "user1 connects to n1. The row gets a dot: the name of the node and the next number of its clock.",
        (w) => w.join("n1", "user1"),
      ],
      ["n1 sends the row to both others.", (w) => w.publish("n1", "n2", "n3")],
      ["It arrives at n2, which adds user1.", (w) => w.deliver("n1", "n2")],
      ["It arrives at n3, too.", (w) => w.deliver("n1", "n3")],
      [
        "user1 disconnects. The removal has a dot of its own, n1:2. No trace of the row is kept.",
        (w) => w.leave("n1", "user1"),
      ],
      ["n1 sends what it has seen, without the row.", (w) => w.publish("n1", "n2", "n3")],
      [
        "n2 gets it first. A dot that n1 has seen and has no row for was removed: n2 removes user1.",
        (w) => w.deliver("n1", "n2"),
      ],
      [
        "n3 has not received that yet, and sends all that it knows to n2: user1 among it. Add or discard?",
        (w) => w.answer("n3", "n2"),
      ],
      [
        "n2 discards it. It has seen n1:1 already, and has no row for it, so the row is old. No wall clock was needed, and no tombstone was kept.",
        (w) => w.deliver("n3", "n2"),
      ],
      ["n3 gets the removal, and all agree.", (w) => w.deliver("n1", "n3")],
    ],
    ends: { users: [], context: { n1: 2, n2: 0, n3: 0 } },
  },
  "a-lost-message": {
    title: "A message is lost",
    nodes: ["n1", "n2"],
    /** @type {Step[]} */
    steps: [
      ["ada connects to n1.", (w) => w.join("n1", "ada")],
      ["n1 sends her row.", (w) => w.publish("n1", "n2")],
      ["The message is lost. Nobody notices yet.", (w) => w.lose("n1", "n2")],
      ["bob connects to n1, and his row is sent.", (w) => (w.join("n1", "bob"), w.publish("n1", "n2"))],
      [
        "n2 adds bob. It has seen n1:2, but not n1:1: there is a gap. The dot waits in the cloud, beside the context.",
        (w) => w.deliver("n1", "n2"),
      ],
      [
        "Heartbeats carry contexts. n2 sees that it lacks something of n1, and requests it. n1 answers with all that it knows.",
        (w) => w.answer("n1", "n2"),
      ],
      [
        "n2 adds ada. The gap is closed: the cloud is empty, and one number is enough: n1 ≥ 2.",
        (w) => w.deliver("n1", "n2"),
      ],
    ],
    ends: { users: ["ada", "bob"], context: { n1: 2, n2: 0 } },
  },
  "a-compact-context": {
    title: "Many users, three numbers",
    nodes: ["n1", "n2", "n3"],
    /** @type {Step[]} */
    steps: [
      [
        "Three users connect to n1, two to n2, four to n3. Each row has a dot.",
        (w) => {
          for (const key of ["ada", "bob", "cleo"]) w.join("n1", key)
          for (const key of ["dan", "eve"]) w.join("n2", key)
          for (const key of ["fay", "gus", "hal", "ida"]) w.join("n3", key)
          w.acting = undefined
        },
      ],
      [
        "All send what they have.",
        (w) => {
          w.publish("n1", "n2", "n3")
          w.publish("n2", "n1", "n3")
          w.publish("n3", "n1", "n2")
          w.acting = undefined
        },
      ],
      ["n1 receives the messages of both.", (w) => (w.deliver("n2", "n1"), w.deliver("n3", "n1"))],
      ["n2 gets the messages in another order.", (w) => (w.deliver("n3", "n2"), w.deliver("n1", "n2"))],
      [
        "So does n3. All have seen nine dots, and keep that as three numbers. It stays three numbers for nine thousand.",
        (w) => (w.deliver("n2", "n3"), w.deliver("n1", "n3")),
      ],
    ],
    ends: { users: ["ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal", "ida"], context: { n1: 3, n2: 2, n3: 4 } },
  },
}

/**
 * Plays a scene, and returns each step: its sentence, and what each node knows after it.
 * @param {keyof typeof SCENES} name
 */
export function play(name) {
  const world = new World(SCENES[name].nodes)
  return SCENES[name].steps.map(([say, run]) => {
    run(world)
    return { say, ...world.snapshot() }
  })
}
