/**
 * A cluster's bad day, from a seed: whole trackers on a network that loses, doubles, reorders and splits.
 *
 * The trackers and the network are handed in, so that the test runner gives those of `src` and the script those of
 * `dist`. What `breach` holds, a test puts in to see that a broken rule is found.
 */

/** The trackers' times in virtual ms, scaled down: what matters is how they relate. */
const TIMING = {
  broadcastPeriodMs: 100,
  maxSilentPeriods: 1,
  deltaWindowMs: 10,
  downPeriodMs: 600,
  permdownPeriodMs: 3000,
}
/** From the moment a node is heard of to its rows: clocks, gathering, a request, an answer, there and back once more. */
const TRANSFER_MS = 200
const TOPICS = ["rooms:a", "rooms:b", "rooms:c"]
const KEYS = ["ada", "bob", "__proto__"]
const PIDS = ["1", "2", "3"]

/** Runs one seed; returns what happened, and what of it was wrong: nothing, if all is well. Both in words. */
export async function runScenario(seed, parts, breach = {}) {
  const day = new Day(seed, parts, breach)
  await day.run()
  return { story: day.story, failures: day.failures }
}

const inOrder = (refs) => [...refs].toSorted().join()

class Day {
  failures = []
  story = []
  #parts
  #breach
  #network
  #random
  #names
  #poolSize
  /** Name → the life that it leads, if any. */
  #lives = new Map()

  constructor(seed, parts, breach) {
    this.#parts = parts
    this.#breach = breach
    // What is chosen here does not depend on how many messages are sent, so that a seed's story survives small changes.
    this.#random = parts.mulberry32(seed)
    this.#network = new parts.SeededNetwork({
      seed: seed + 1_000_000_007,
      seesNodesDie: this.#chance(0.2),
      loss: this.#pick([0, 0, 0.05, 0.2, 0.5]),
      duplication: this.#pick([0, 0, 0.1, 0.5]),
      reordering: this.#pick([0, 0, 0.2, 1]),
      delayMs: this.#pick([
        [1, 2],
        [1, 20],
        [5, 80],
      ]),
    })
    this.#names = ["n1", "n2", "n3", "n4", "n5"].slice(0, 2 + Math.floor(this.#random() * 4))
    this.#poolSize = this.#pick([1, 1, 1, 2])
  }

  async run() {
    for (const name of this.#names) this.#start(name)
    const steps = 20 + Math.floor(this.#random() * 30)
    for (let step = 0; step < steps && this.failures.length === 0; step += 1) {
      this.#act()
      await this.#pass(this.#pick([1, 5, 20, 50, 120, 400]))
    }
    await this.#heal()
  }

  #act() {
    const name = this.#pick(this.#names)
    const life = this.#lives.get(name)
    if (life === undefined) return this.#chance(0.5) && this.#start(name)
    if (life.paused) return this.#chance(0.3) && this.#resume(life)
    const dice = this.#random()
    if (dice < 0.35) this.#track(life)
    else if (dice < 0.5) this.#update(life)
    else if (dice < 0.65) this.#untrack(life)
    else if (dice < 0.7) this.#crash(life, 0)
    else if (dice < 0.74) this.#stop(life)
    else if (dice < 0.78) this.#split()
    else if (dice < 0.84) this.#network.heal()
    else if (dice < 0.88) this.#pause(life)
    else if (dice < 0.92) this.#toggle(life)
    else if (dice < 0.95) this.#storm(life)
    else if (dice < 0.97) this.#rollingRestart()
    else life.wait = this.#pick([700, 1500, 4000])
    return undefined
  }

  async #pass(ms) {
    let rest = ms
    for (const life of this.#lives.values()) {
      rest = Math.max(rest, life.wait ?? 0)
      life.wait = 0
    }
    await this.#network.run(rest)
    for (const life of this.#lives.values()) if (!life.paused) this.#compare(life)
  }

  #start(name) {
    const node = this.#network.node(name)
    const life = {
      name,
      node,
      paused: false,
      awaySince: undefined,
      /** phx_ref → topic: what this node has tracked and not untracked. */
      own: new Map(),
      /** phx_ref → row, as the told diffs leave it. */
      view: new Map(),
      /** Sender's name → shard's topic → what was last heard there and when, moved on by one's own absences. */
      heard: new Map(),
    }
    life.tracker = this.#parts.createTracker({
      ...TIMING,
      poolSize: this.#poolSize,
      pubsub: this.#overheard(life),
      timers: node.timers,
      random: this.#network.random,
      onError: (error) => this.#fail(life, `reported ${error?.stack ?? error}`),
    })
    life.tracker.onDiff((diff) => this.#fold(life, diff))
    this.#lives.set(name, life)
    this.#say(`${name} starts`)
  }

  /** The node's bus, and a note of who was heard when. */
  #overheard(life) {
    const { pubsub } = life.node
    const { receives = (bytes) => bytes } = this.#breach
    const subscribe = (topic, receive) =>
      pubsub.subscribe(topic, (bytes, from) => {
        if (!life.heard.has(from)) life.heard.set(from, new Map())
        life.heard.get(from).set(topic, { at: this.#network.now, bytes })
        const told = receives(bytes, from, life.name)
        if (told !== undefined) receive(told, from)
      })
    return Object.create(pubsub, { subscribe: { value: subscribe } })
  }

  #track(life) {
    const [pid, topic, key] = [this.#pick(PIDS), this.#pick(TOPICS), this.#pick(KEYS)]
    if (this.#owns(life, pid, topic, key) !== undefined) return
    const ref = life.tracker.track(pid, topic, key, { n: this.story.length })
    life.own.set(ref, { pid, topic, key })
    this.#say(`${life.name} tracks ${ref}: ${pid} ${topic} ${key}`)
  }

  #storm(life) {
    for (let i = 0; i < 30; i += 1) {
      const place = { pid: `s${this.story.length}-${i}`, topic: this.#pick(TOPICS), key: this.#pick(KEYS) }
      life.own.set(life.tracker.track(place.pid, place.topic, place.key, {}), place)
    }
    this.#say(`${life.name} tracks 30`)
  }

  #update(life) {
    const own = [...life.own]
    if (own.length === 0) return
    const [old, place] = this.#pick(own)
    life.own.delete(old)
    const ref = life.tracker.update(place.pid, place.topic, place.key, { n: this.story.length })
    life.own.set(ref, place)
    this.#say(`${life.name} updates ${old} to ${ref}`)
  }

  #untrack(life) {
    const pid = this.#pick([...PIDS, ...[...life.own.values()].slice(-3).map((place) => place.pid)])
    const topic = this.#pick([undefined, ...TOPICS])
    for (const [ref, place] of life.own) {
      if (place.pid === pid && (topic === undefined || place.topic === topic)) life.own.delete(ref)
    }
    this.#say(`${life.name} untracks ${pid} ${topic}`)
    life.tracker.untrack(pid, topic)
  }

  #crash(life, restartsAfter) {
    life.node.crash()
    this.#lives.delete(life.name)
    this.#say(`${life.name} crashes`)
    if (restartsAfter > 0) life.node = undefined
  }

  #stop(life) {
    this.#say(`${life.name} stops`)
    void life.tracker.close({ goodbye: this.#chance(0.8) })
    void life.node.pubsub.close()
    this.#lives.delete(life.name)
  }

  #rollingRestart() {
    this.#say("rolling restart")
    for (const name of this.#names) {
      const life = this.#lives.get(name)
      if (life === undefined || life.paused) continue
      this.#stop(life)
      this.#start(name)
    }
  }

  #split() {
    const left = this.#names.filter(() => this.#chance(0.5))
    this.#network.split(left)
    this.#say(`split off ${left.join(" ")}`)
  }

  #pause(life) {
    this.#say(`${life.name} pauses`)
    life.paused = true
    life.awaySince ??= this.#network.now
    life.node.pause()
  }

  #resume(life) {
    this.#say(`${life.name} resumes`)
    life.paused = false
    life.node.resume()
    if (life.node.pubsub.status === "connected") this.#back(life)
  }

  #toggle(life) {
    if (life.node.pubsub.status === "connected") {
      this.#say(`${life.name} loses its engine`)
      life.awaySince ??= this.#network.now
      life.node.disconnect()
    } else {
      this.#say(`${life.name} regains its engine`)
      life.node.reconnect()
      this.#back(life)
    }
  }

  /** An absence of one's own is no silence of others, unless it is too short to be noticed. */
  #back(life) {
    const away = this.#network.now - (life.awaySince ?? this.#network.now)
    life.awaySince = undefined
    if (away <= 2 * TIMING.broadcastPeriodMs) return
    for (const heard of life.heard.values()) {
      for (const last of heard.values()) last.at = Math.min(this.#network.now, last.at + away)
    }
  }

  /** Folds a told diff into what a client of this node would show, and looks whether it is one that may be told. */
  #fold(life, diff) {
    for (const [topic, { joins, leaves }] of diff) {
      if (joins.length + leaves.length === 0) this.#fail(life, "told of nothing")
      for (const row of leaves) {
        const ref = row.meta.phx_ref
        if (!life.view.delete(ref)) this.#fail(life, `told that ${ref} left, which was not there`)
        if (!this.#mayLeave(life, row)) this.#fail(life, `told without cause that ${ref} of ${row.pid} left ${topic}`)
      }
      const left = new Set(leaves.map((row) => row.meta.phx_ref))
      for (const row of joins) {
        const { phx_ref: ref, phx_ref_prev: previous } = row.meta
        if (life.view.has(ref)) this.#fail(life, `told twice that ${ref} joined`)
        if (left.has(ref)) this.#fail(life, `told in one diff that ${ref} left and joined`)
        if (previous !== undefined && !left.has(previous)) {
          this.#fail(life, `told that ${ref} replaces ${previous}, which did not leave`)
        }
        life.view.set(ref, { ...row, topic })
      }
    }
  }

  /**
   * Whether a leave has a cause: its owner's leave, end or restart, or a down period of silence that could be observed.
   *
   * A node that others have forgotten restarts under a new ref. Should its first heartbeats be lost, its rows are away until
   * the next transfer.
   */
  #mayLeave(life, row) {
    const owner = row.pid.slice(row.pid.lastIndexOf("@") + 1)
    const living = this.#lives.get(owner)
    if (living === undefined || !living.own.has(row.meta.phx_ref)) return true
    if (living === life) return false
    const heard = [...(life.heard.get(owner)?.values() ?? [])]
    if (heard.some(({ at }) => this.#network.now - at >= TIMING.downPeriodMs - 1)) return true
    return heard.every(({ bytes }) => JSON.parse(new TextDecoder().decode(bytes))[4][0] !== row.ref)
  }

  #compare(life) {
    const listed = TOPICS.flatMap((topic) => life.tracker.list(topic).map((row) => row.meta.phx_ref))
    const [told, shown] = [inOrder(life.view.keys()), inOrder(listed)]
    if (told !== shown) this.#fail(life, `told ${told}, shows ${shown}`)
    for (const topic of TOPICS) {
      for (const row of life.tracker.list(topic)) {
        if (row.topic !== topic) this.#fail(life, `lists ${row.topic} under ${topic}`)
        if (!life.tracker.getByKey(topic, row.key).includes(row)) this.#fail(life, `does not find ${row.key}`)
      }
    }
  }

  /** Makes all well again; two periods and a transfer later everybody must know everybody, and after a down period nobody else. */
  async #heal() {
    this.#say("heal")
    this.#network.heal()
    this.#network.set({ loss: 0, duplication: 0, reordering: 0, delayMs: [1, 5] })
    for (const life of this.#lives.values()) {
      if (life.paused) this.#resume(life)
      if (life.node.pubsub.status !== "connected") this.#toggle(life)
    }
    await this.#pass(2 * TIMING.broadcastPeriodMs + TRANSFER_MS)
    const truth = []
    for (const life of this.#lives.values()) truth.push(...life.own.keys())
    for (const life of this.#lives.values()) {
      const missing = truth.filter((ref) => !life.view.has(ref))
      if (missing.length > 0) this.#fail(life, `two periods after healing does not know ${missing.join()}`)
    }
    await this.#pass(TIMING.downPeriodMs + TIMING.broadcastPeriodMs)
    for (const life of this.#lives.values()) {
      const told = inOrder(life.view.keys())
      if (told !== inOrder(truth)) this.#fail(life, `shows ${told} in the end, the truth is ${inOrder(truth)}`)
    }
  }

  #owns(life, pid, topic, key) {
    return [...life.own.values()].find((own) => own.pid === pid && own.topic === topic && own.key === key)
  }

  #say(line) {
    this.story.push(`${this.#network.now.toFixed(1)} ${line}`)
  }

  #fail(life, what) {
    this.failures.push(`${this.#network.now.toFixed(1)} ${life.name} ${what}`)
  }

  #chance(share) {
    return this.#random() < share
  }

  #pick(items) {
    return items[Math.floor(this.#random() * items.length)]
  }
}
