/**
 * A bad day of a cluster, determined by a seed. Complete trackers run on a network that loses, duplicates and reorders
 * messages, and that splits. On a worse day, messages get lost in one direction only, arrive truncated or altered, and clocks
 * jump. What the nodes show is compared with a naive model of presence (`Truth`).
 *
 * The trackers and the network are parameters: the test runner uses those of `src`, the script those of `dist`. With
 * `breach` a test breaks a rule on purpose, to check that the scenario detects it.
 */
import { ClientView, sorted } from "./client-view.js"
import { Contacts } from "./contacts.js"
import { Disturbances } from "./disturbances.js"
import { Truth } from "./truth.js"

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

/** How long one more step of a worse day may let the nodes run undisturbed, in virtual ms. */
const LULL_MS = [1, 20, 100, 700]

/** Runs one seed. Returns a log of the events and the failures, both as lines of text, and the number of messages. */
export async function runScenario(seed, parts, breach = {}, { isWorse = false } = {}) {
  const day = new Day(seed, parts, breach, isWorse)
  await day.run()
  return { log: day.log, failures: day.failures, messages: day.messages, altered: day.altered }
}

class Day {
  failures = []
  log = []
  messages = 0
  altered = 0
  #truth = new Truth()
  /** The random numbers of a worse day's disturbances; `undefined` on a bad day. */
  #trouble
  #parts
  #breach
  #network
  #random
  #names
  #poolSize
  /** Name → the running node of that name, if there is one. */
  #nodes = new Map()

  constructor(seed, parts, breach, isWorse) {
    this.#parts = parts
    this.#breach = breach
    // The scenario and the network use different random numbers. So the events of a seed do not depend on the number of
    // messages, and stay the same after small changes to the protocol.
    this.#random = parts.mulberry32(seed)
    if (isWorse) this.#trouble = parts.mulberry32(seed + 2_000_000_011)
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
      if (this.#trouble !== undefined) await this.#disturb(this.#trouble)
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
    for (const member of this.#nodes.values()) if (!member.isPaused) member.view.compare(member.tracker)
  }

  /** Disturbs one node, or ends what disturbs it. */
  async #disturb(random) {
    const pick = (items) => items[Math.floor(random() * items.length)]
    const dice = random()
    const member = this.#nodes.get(pick(this.#names))
    if (member === undefined || dice < 0.5) return
    const { disturbances, name } = member
    if (!disturbances.isNone && random() < 0.4) {
      disturbances.end()
      this.#record(`${name} is undisturbed`)
    } else if (dice < 0.65) {
      disturbances.deafTo = new Set(this.#names.filter((other) => other !== name && random() < 0.5))
      this.#record(`${name} receives nothing of ${[...disturbances.deafTo].join(" ")}`)
    } else if (dice < 0.8) {
      disturbances.alteration = pick([0.05, 0.3, 1])
      this.#record(`${name} receives altered messages`)
    } else {
      const ms = disturbances.jump()
      member.contacts.clockJumped(ms)
      this.#record(`the clock of ${name} jumps by ${ms} ms`)
    }
    await this.#wait(pick(LULL_MS))
  }

  #start(name) {
    const node = this.#network.node(name)
    const fail = (what) => this.#fail(member, what)
    const member = {
      name,
      node,
      isPaused: false,
      disturbances: new Disturbances(this.#trouble ?? this.#random),
      contacts: new Contacts(TIMING),
      view: new ClientView({
        node: name,
        topics: TOPICS,
        truth: this.#truth,
        mayLeave: (row) => this.#mayLeave(member, row),
        fail,
      }),
    }
    this.#truth.starts(name)
    member.tracker = this.#parts.createTracker({
      ...TIMING,
      poolSize: this.#poolSize,
      pubsub: this.#recordingBus(member),
      timers: member.disturbances.timers(node.timers),
      random: this.#network.random,
      onError: (error) => fail(`reported ${error?.stack ?? error}`),
    })
    member.tracker.onDiff((diff) => member.view.apply(diff))
    this.#nodes.set(name, member)
    this.#record(`${name} starts`)
  }

  /** Returns the node's bus, wrapped so that it disturbs and records the messages that arrive. */
  #recordingBus(member) {
    const { pubsub } = member.node
    const { receives = (bytes) => bytes } = this.#breach
    const subscribe = (topic, receive) =>
      pubsub.subscribe(topic, (bytes, from) => {
        const arriving = member.disturbances.arriving(bytes, from)
        if (arriving === undefined) return
        this.messages += 1
        if (this.messages > MAX_MESSAGES)
          throw new Error(`expected at most ${MAX_MESSAGES} messages in a day, got more`)
        if (arriving === bytes) member.contacts.received(bytes, this.#network.now)
        else this.altered += 1
        const changed = receives(arriving, from, member.name)
        if (changed !== undefined) receive(changed, from)
      })
    return Object.create(pubsub, { subscribe: { value: subscribe } })
  }

  #track({ name, tracker }) {
    const place = { pid: this.#pick(PIDS), topic: this.#pick(TOPICS), key: this.#pick(KEYS) }
    const { pid, topic, key } = place
    if (this.#truth.isTaken(name, pid, topic, key)) return
    const meta = { n: this.log.length }
    const ref = tracker.track(pid, topic, key, meta)
    this.#truth.tracks(name, place, ref, meta)
    this.#record(`${name} tracks ${ref}: ${pid} ${topic} ${key}`)
  }

  #storm({ name, tracker }) {
    for (let i = 0; i < 30; i += 1) {
      const place = { pid: `s${this.log.length}-${i}`, topic: this.#pick(TOPICS), key: this.#pick(KEYS) }
      this.#truth.tracks(name, place, tracker.track(place.pid, place.topic, place.key, {}), {})
    }
    this.#record(`${name} tracks 30`)
  }

  #update({ name, tracker }) {
    const own = this.#truth.at(name)
    if (own.length === 0) return
    const { ref: old, pid, topic, key } = this.#pick(own)
    const meta = { n: this.log.length }
    this.#truth.removes(old)
    const ref = tracker.update(pid, topic, key, meta)
    this.#truth.tracks(name, { pid, topic, key }, ref, meta)
    this.#record(`${name} updates ${old} to ${ref}`)
  }

  #untrack({ name, tracker }) {
    const latest = this.#truth.at(name).slice(-3)
    const pid = this.#pick([...PIDS, ...latest.map((presence) => presence.pid)])
    const topic = this.#pick([undefined, ...TOPICS])
    this.#truth.untracks(name, pid, topic)
    this.#record(`${name} untracks ${pid} ${topic}`)
    tracker.untrack(pid, topic)
  }

  #crash(member) {
    member.node.crash()
    this.#ended(member)
    this.#record(`${member.name} crashes`)
  }

  #stop(member) {
    this.#record(`${member.name} stops`)
    void member.tracker.close({ goodbye: this.#chance(0.8) })
    void member.node.pubsub.close()
    this.#ended(member)
  }

  #ended({ name }) {
    this.#nodes.delete(name)
    this.#truth.ends(name)
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
    member.contacts.absenceBegan(this.#network.now)
    member.node.pause()
  }

  #resume(member) {
    this.#record(`${member.name} resumes`)
    member.isPaused = false
    member.node.resume()
    if (member.node.pubsub.status === "connected") member.contacts.absenceEnded(this.#network.now)
  }

  #toggle(member) {
    if (member.node.pubsub.status === "connected") {
      this.#record(`${member.name} loses its connection`)
      member.contacts.absenceBegan(this.#network.now)
      member.node.disconnect()
    } else {
      this.#record(`${member.name} is connected again`)
      member.node.reconnect()
      member.contacts.absenceEnded(this.#network.now)
    }
  }

  /** Returns whether a leave has a cause: its owner removed the row, has ended, or was silent for too long. */
  #mayLeave(member, row) {
    const owner = row.pid.slice(row.pid.lastIndexOf("@") + 1)
    if (!this.#truth.has(row.meta.phx_ref)) return true
    return owner !== member.name && member.contacts.wasSilent(row.ref, this.#network.now)
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
      member.disturbances.end()
      if (member.isPaused) this.#resume(member)
      if (member.node.pubsub.status !== "connected") this.#toggle(member)
    }
    await this.#wait(2 * TIMING.broadcastPeriodMs + TRANSFER_MS)
    const truth = this.#truth.refs()
    for (const member of this.#nodes.values()) {
      const missing = truth.filter((ref) => !member.view.has(ref))
      if (missing.length > 0) this.#fail(member, `lacks two periods after the repair: ${missing.join()}`)
    }
    await this.#wait(TIMING.downPeriodMs + TIMING.broadcastPeriodMs)
    for (const member of this.#nodes.values()) {
      const shown = sorted(member.view.refs())
      if (shown !== sorted(truth)) this.#fail(member, `shows ${shown} in the end, expected ${sorted(truth)}`)
    }
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
