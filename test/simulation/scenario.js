/**
 * A bad day of a cluster, determined by a seed. Complete trackers run on a network that loses, duplicates and reorders
 * messages, and that splits.
 *
 * The trackers and the network are parameters: the test runner uses those of `src`, the script those of `dist`. With
 * `breach` a test breaks a rule on purpose, to check that the scenario detects it.
 */

/** The periods and timeouts of the trackers in virtual ms. They are scaled down; only their relations matter. */
const TIMING = {
  broadcastPeriodMs: 100,
  maxSilentPeriods: 1,
  deltaWindowMs: 10,
  downPeriodMs: 600,
  permdownPeriodMs: 3000,
}
/**
 * The maximum time from the first heartbeat of a node until its rows arrive. It allows for two rounds of clocks, the delay
 * before a transfer request, the request and its response.
 */
const TRANSFER_MS = 200
/**
 * The maximum number of messages that the nodes receive in one day. The worst of the first 500 days has 2327. If there are
 * more than the maximum, nodes are sending each other messages in a loop.
 */
const MAX_MESSAGES = 20_000
const TOPICS = ["rooms:a", "rooms:b", "rooms:c"]
const KEYS = ["ada", "bob", "__proto__"]
const PIDS = ["1", "2", "3"]

/** Runs one seed. Returns a log of the events and the failures, both as lines of text, and the number of messages. */
export async function runScenario(seed, parts, breach = {}) {
  const day = new Day(seed, parts, breach)
  await day.run()
  return { log: day.log, failures: day.failures, messages: day.messages }
}

const sorted = (refs) => [...refs].toSorted().join()

class Day {
  failures = []
  log = []
  messages = 0
  #parts
  #breach
  #network
  #random
  #names
  #poolSize
  /** Name → the running node of that name, if there is one. */
  #nodes = new Map()

  constructor(seed, parts, breach) {
    this.#parts = parts
    this.#breach = breach
    // The scenario and the network use different random numbers. So the events of a seed do not depend on the number of
    // messages, and stay the same after small changes to the protocol.
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
    try {
      await this.#runSteps()
    } catch (error) {
      this.failures.push(String(error instanceof Error ? error.stack : error))
    }
  }

  async #runSteps() {
    for (const name of this.#names) this.#start(name)
    const steps = 20 + Math.floor(this.#random() * 30)
    for (let step = 0; step < steps && this.failures.length === 0; step += 1) {
      this.#doSomething()
      await this.#wait(this.#pick([1, 5, 20, 50, 120, 400]))
    }
    await this.#heal()
  }

  #doSomething() {
    const name = this.#pick(this.#names)
    const member = this.#nodes.get(name)
    if (member === undefined) return this.#chance(0.5) && this.#start(name)
    if (member.isPaused) return this.#chance(0.3) && this.#resume(member)
    const dice = this.#random()
    if (dice < 0.35) this.#track(member)
    else if (dice < 0.5) this.#update(member)
    else if (dice < 0.65) this.#untrack(member)
    else if (dice < 0.7) this.#crash(member)
    else if (dice < 0.74) this.#stop(member)
    else if (dice < 0.78) this.#split()
    else if (dice < 0.84) this.#network.heal()
    else if (dice < 0.88) this.#pause(member)
    else if (dice < 0.92) this.#toggle(member)
    else if (dice < 0.95) this.#storm(member)
    else if (dice < 0.97) this.#rollingRestart()
    else member.wait = this.#pick([700, 1500, 4000])
    return undefined
  }

  async #wait(ms) {
    let rest = ms
    for (const member of this.#nodes.values()) {
      rest = Math.max(rest, member.wait ?? 0)
      member.wait = 0
    }
    await this.#network.run(rest)
    for (const member of this.#nodes.values()) if (!member.isPaused) this.#compare(member)
  }

  #start(name) {
    const node = this.#network.node(name)
    const member = {
      name,
      node,
      isPaused: false,
      absentSince: undefined,
      /** phx_ref → place, for each presence that this node has tracked and not untracked. */
      own: new Map(),
      /** phx_ref → row: the view of a client that applies all diffs. */
      view: new Map(),
      /**
       * Sender's name → shard's topic → its last message, and when it arrived. Absences of this node are added to the
       * time.
       */
      received: new Map(),
    }
    member.tracker = this.#parts.createTracker({
      ...TIMING,
      poolSize: this.#poolSize,
      pubsub: this.#recordingBus(member),
      timers: node.timers,
      random: this.#network.random,
      onError: (error) => this.#fail(member, `reported ${error?.stack ?? error}`),
    })
    member.tracker.onDiff((diff) => this.#applyDiff(member, diff))
    this.#nodes.set(name, member)
    this.#record(`${name} starts`)
  }

  /** Returns the node's bus, wrapped so that it records the last message of each sender. */
  #recordingBus(member) {
    const { pubsub } = member.node
    const { receives = (bytes) => bytes } = this.#breach
    const subscribe = (topic, receive) =>
      pubsub.subscribe(topic, (bytes, from) => {
        this.messages += 1
        if (this.messages > MAX_MESSAGES)
          throw new Error(`expected at most ${MAX_MESSAGES} messages in a day, got more`)
        this.#noteMessage(member, from, topic, bytes)
        const changed = receives(bytes, from, member.name)
        if (changed !== undefined) receive(changed, from)
      })
    return Object.create(pubsub, { subscribe: { value: subscribe } })
  }

  /** Records when a sender's last message arrived, and when the first one under its current ref did. */
  #noteMessage(member, from, topic, bytes) {
    if (!member.received.has(from)) member.received.set(from, new Map())
    const messages = member.received.get(from)
    const ref = JSON.parse(new TextDecoder().decode(bytes))[4][0]
    const { now } = this.#network
    const last = messages.get(topic)
    messages.set(topic, { at: now, ref, refSince: last?.ref === ref ? last.refSince : now })
  }

  #track(member) {
    const [pid, topic, key] = [this.#pick(PIDS), this.#pick(TOPICS), this.#pick(KEYS)]
    if (this.#owns(member, pid, topic, key)) return
    const ref = member.tracker.track(pid, topic, key, { n: this.log.length })
    member.own.set(ref, { pid, topic, key })
    this.#record(`${member.name} tracks ${ref}: ${pid} ${topic} ${key}`)
  }

  #storm(member) {
    for (let i = 0; i < 30; i += 1) {
      const place = { pid: `s${this.log.length}-${i}`, topic: this.#pick(TOPICS), key: this.#pick(KEYS) }
      member.own.set(member.tracker.track(place.pid, place.topic, place.key, {}), place)
    }
    this.#record(`${member.name} tracks 30`)
  }

  #update(member) {
    const own = [...member.own]
    if (own.length === 0) return
    const [old, place] = this.#pick(own)
    member.own.delete(old)
    const ref = member.tracker.update(place.pid, place.topic, place.key, { n: this.log.length })
    member.own.set(ref, place)
    this.#record(`${member.name} updates ${old} to ${ref}`)
  }

  #untrack(member) {
    const pid = this.#pick([...PIDS, ...[...member.own.values()].slice(-3).map((place) => place.pid)])
    const topic = this.#pick([undefined, ...TOPICS])
    for (const [ref, place] of member.own) {
      if (place.pid === pid && (topic === undefined || place.topic === topic)) member.own.delete(ref)
    }
    this.#record(`${member.name} untracks ${pid} ${topic}`)
    member.tracker.untrack(pid, topic)
  }

  #crash(member) {
    member.node.crash()
    this.#nodes.delete(member.name)
    this.#record(`${member.name} crashes`)
  }

  #stop(member) {
    this.#record(`${member.name} stops`)
    void member.tracker.close({ goodbye: this.#chance(0.8) })
    void member.node.pubsub.close()
    this.#nodes.delete(member.name)
  }

  #rollingRestart() {
    this.#record("rolling restart")
    for (const name of this.#names) {
      const member = this.#nodes.get(name)
      if (member === undefined || member.isPaused) continue
      this.#stop(member)
      this.#start(name)
    }
  }

  #split() {
    const left = this.#names.filter(() => this.#chance(0.5))
    this.#network.split(left)
    this.#record(`split off ${left.join(" ")}`)
  }

  #pause(member) {
    this.#record(`${member.name} pauses`)
    member.isPaused = true
    member.absentSince ??= this.#network.now
    member.node.pause()
  }

  #resume(member) {
    this.#record(`${member.name} resumes`)
    member.isPaused = false
    member.node.resume()
    if (member.node.pubsub.status === "connected") this.#returned(member)
  }

  #toggle(member) {
    if (member.node.pubsub.status === "connected") {
      this.#record(`${member.name} loses its connection`)
      member.absentSince ??= this.#network.now
      member.node.disconnect()
    } else {
      this.#record(`${member.name} is connected again`)
      member.node.reconnect()
      this.#returned(member)
    }
  }

  /**
   * Adds the node's own absence to the times of the last messages (D11). An absence of at most two periods is left out,
   * since a tracker does not notice it.
   */
  #returned(member) {
    const absence = this.#network.now - (member.absentSince ?? this.#network.now)
    member.absentSince = undefined
    if (absence <= 2 * TIMING.broadcastPeriodMs) return
    for (const messages of member.received.values()) {
      for (const last of messages.values()) last.at = Math.min(this.#network.now, last.at + absence)
    }
  }

  /** Applies a diff to the view of a client of this node, and checks that the diff is a correct one. */
  #applyDiff(member, diff) {
    for (const [topic, { joins, leaves }] of diff) {
      if (joins.length + leaves.length === 0) this.#fail(member, "reported an empty diff")
      for (const row of leaves) {
        const ref = row.meta.phx_ref
        if (!member.view.delete(ref)) this.#fail(member, `reported the leave of ${ref}, which was not there`)
        if (!this.#mayLeave(member, row))
          this.#fail(member, `reported without cause that ${ref} of ${row.pid} left ${topic}`)
      }
      const left = new Set(leaves.map((row) => row.meta.phx_ref))
      for (const row of joins) {
        const { phx_ref: ref, phx_ref_prev: previous } = row.meta
        if (member.view.has(ref)) this.#fail(member, `reported twice that ${ref} joined`)
        if (left.has(ref)) this.#fail(member, `reported in one diff that ${ref} left and joined`)
        if (previous !== undefined && !left.has(previous)) {
          this.#fail(member, `reported that ${ref} replaces ${previous}, which did not leave`)
        }
        member.view.set(ref, { ...row, topic })
      }
    }
  }

  /**
   * Returns whether a leave has a cause: its owner removed the row, ended, or was silent for a down period. There is one more
   * cause: a node that others have forgotten restarts under a new ref, and the state of that ref does not arrive within a
   * down period.
   */
  #mayLeave(member, row) {
    const owner = row.pid.slice(row.pid.lastIndexOf("@") + 1)
    const running = this.#nodes.get(owner)
    if (running === undefined || !running.own.has(row.meta.phx_ref)) return true
    if (running === member) return false
    const lastMessages = [...(member.received.get(owner)?.values() ?? [])]
    if (lastMessages.some(({ at }) => this.#network.now - at >= TIMING.downPeriodMs - 1)) return true
    return lastMessages.some(({ refSince }) => this.#network.now - refSince >= TIMING.downPeriodMs - 1)
  }

  /** Checks that the diffs so far lead to what the tracker lists, and that its lookups agree with one another. */
  #compare(member) {
    const listed = TOPICS.flatMap((topic) => member.tracker.list(topic).map((row) => row.meta.phx_ref))
    const [reported, shown] = [sorted(member.view.keys()), sorted(listed)]
    if (reported !== shown) this.#fail(member, `reported ${reported}, shows ${shown}`)
    for (const topic of TOPICS) {
      for (const row of member.tracker.list(topic)) {
        if (row.topic !== topic) this.#fail(member, `lists ${row.topic} under ${topic}`)
        if (!member.tracker.getByKey(topic, row.key).includes(row)) this.#fail(member, `does not find ${row.key}`)
      }
    }
  }

  /**
   * Repairs the network. Two periods and a transfer later, all nodes must show all rows of all nodes. After a down period,
   * they must show no other rows.
   */
  async #heal() {
    this.#record("the network is repaired")
    this.#network.heal()
    this.#network.set({ loss: 0, duplication: 0, reordering: 0, delayMs: [1, 5] })
    for (const member of this.#nodes.values()) {
      if (member.isPaused) this.#resume(member)
      if (member.node.pubsub.status !== "connected") this.#toggle(member)
    }
    await this.#wait(2 * TIMING.broadcastPeriodMs + TRANSFER_MS)
    const truth = []
    for (const member of this.#nodes.values()) truth.push(...member.own.keys())
    for (const member of this.#nodes.values()) {
      const missing = truth.filter((ref) => !member.view.has(ref))
      if (missing.length > 0) this.#fail(member, `lacks two periods after the repair: ${missing.join()}`)
    }
    await this.#wait(TIMING.downPeriodMs + TIMING.broadcastPeriodMs)
    for (const member of this.#nodes.values()) {
      const shown = sorted(member.view.keys())
      if (shown !== sorted(truth)) this.#fail(member, `shows ${shown} in the end, expected ${sorted(truth)}`)
    }
  }

  #owns(member, pid, topic, key) {
    return [...member.own.values()].some((own) => own.pid === pid && own.topic === topic && own.key === key)
  }

  #record(line) {
    this.log.push(`${this.#network.now.toFixed(1)} ${line}`)
  }

  #fail(member, what) {
    this.failures.push(`${this.#network.now.toFixed(1)} ${member.name} ${what}`)
  }

  #chance(share) {
    return this.#random() < share
  }

  #pick(items) {
    return items[Math.floor(this.#random() * items.length)]
  }
}
