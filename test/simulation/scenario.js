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
import { Disturbances, disturb, receivingThrough } from "./disturbances.js"
import { Incarnations } from "./incarnations.js"
import { Operations, TOPICS } from "./operations.js"
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
 * The maximum number of messages that the nodes receive in one day, of up to five nodes. The worst of the first 500 days has 2327.
 * If there are more than the maximum, nodes are sending each other messages in a loop. It grows with the pairs of nodes.
 */
const MAX_MESSAGES = 20_000
/** How long one more step of a worse day may let the nodes run undisturbed, in virtual ms. */
const LULL_MS = [1, 20, 100, 700]

/**
 * Runs one seed, with two to five nodes, or with `nodes`. Returns the events and the failures as lines of text, and the numbers of
 * messages.
 */
export async function runScenario(seed, parts, breach = {}, { isWorse = false, nodes = 0 } = {}) {
  const day = new Day(seed, parts, breach, isWorse, nodes)
  await day.run()
  return { log: day.log, failures: day.failures, messages: day.messages, altered: day.altered }
}

class Day {
  failures = []
  log = []
  messages = 0
  altered = 0
  #truth = new Truth()
  #incarnations = new Incarnations()
  #operations
  /** The random numbers of a worse day's disturbances; `undefined` on a bad day. */
  #trouble
  #parts
  #breach
  #network
  #random
  #names
  #maxMessages
  #poolSize
  /** Name → the running node of that name, if there is one. */
  #nodes = new Map()

  constructor(seed, parts, breach, isWorse, nodes) {
    this.#parts = parts
    this.#breach = breach
    // The scenario and the network use different random numbers. So the events of a seed do not depend on the number of
    // messages, and stay the same after small changes to the protocol.
    this.#random = parts.mulberry32(seed)
    const record = (line) => this.#record(line)
    this.#operations = new Operations({ truth: this.#truth, pick: (items) => this.#pick(items), log: this.log, record })
    if (isWorse) this.#trouble = parts.mulberry32(seed + 2_000_000_011)
    this.#network = new parts.SeededNetwork({
      seed: seed + 1_000_000_007,
      onMessage: (message) => this.#incarnations.sent(message),
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
    const few = 2 + Math.floor(this.#random() * 4)
    this.#names = Array.from({ length: nodes > 0 ? nodes : few }, (_, i) => `n${i + 1}`)
    this.#maxMessages = MAX_MESSAGES * Math.max(1, nodes / 5) ** 2
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
    if (dice < 0.35) this.#operations.track(member)
    else if (dice < 0.5) this.#operations.update(member)
    else if (dice < 0.65) this.#operations.untrack(member)
    else if (dice < 0.7) this.#crash(member)
    else if (dice < 0.74) this.#stop(member)
    else if (dice < 0.78) this.#split()
    else if (dice < 0.84) this.#network.heal()
    else if (dice < 0.88) this.#pause(member)
    else if (dice < 0.92) this.#toggle(member)
    else if (dice < 0.95) this.#operations.trackMany(member)
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

  /** Disturbs one node, or ends what disturbs it, in half of the steps of a worse day. */
  async #disturb(random) {
    const pick = (items) => items[Math.floor(random() * items.length)]
    const member = this.#nodes.get(pick(this.#names))
    if (member === undefined || random() < 0.5) return
    this.#record(disturb(member, this.#names, random))
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
      contacts: new Contacts(TIMING, this.#incarnations),
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
      pubsub: receivingThrough(node.pubsub, (bytes, from) => this.#receive(member, bytes, from)),
      timers: member.disturbances.timers(node.timers),
      random: this.#network.random,
      onError: (error) => fail(`reported ${error?.stack ?? error}`),
    })
    member.tracker.onDiff((diff) => member.view.apply(diff))
    this.#nodes.set(name, member)
    this.#record(`${name} starts`)
  }

  /** Counts, records and disturbs a message of another node. Returns what arrives; `undefined` if nothing does. */
  #receive(member, bytes, from) {
    const arriving = member.disturbances.arriving(bytes, from)
    if (arriving === undefined) return undefined
    this.messages += 1
    const most = this.#maxMessages
    if (this.messages > most) throw new Error(`expected at most ${most} messages in a day, got more`)
    if (arriving === bytes) member.contacts.received(bytes, this.#network.now)
    else this.altered += 1
    return this.#breach.receives === undefined ? arriving : this.#breach.receives(arriving, from, member.name)
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

  /**
   * Returns whether a leave has a cause: its owner removed the row, has ended, was silent for too long, or seemed to have been
   * restarted, because a message of an earlier start of it came late.
   */
  #mayLeave(member, row) {
    const owner = row.pid.slice(row.pid.lastIndexOf("@") + 1)
    if (!this.#truth.has(row.meta.phx_ref)) return true
    if (owner === member.name) return false
    return member.contacts.wasSilent(row.ref, this.#network.now) || member.contacts.wasOvertaken(row.ref)
  }

  /**
   * Repairs the network. Two periods and a transfer later, all nodes must show all rows of all nodes. After a down period,
   * they must show no other rows. After a worse day it may take a period longer. A node that ended a moment before is then more often the one whose clocks
   * are the most advanced of all that were received, so that the first request is sent to it.
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
    const periods = this.#trouble === undefined ? 2 : 3
    await this.#wait(periods * TIMING.broadcastPeriodMs + TRANSFER_MS)
    const truth = this.#truth.refs()
    for (const member of this.#nodes.values()) {
      const missing = truth.filter((ref) => !member.view.has(ref))
      if (missing.length > 0)
        this.#fail(member, `lacks ${periods === 2 ? "two" : "three"} periods after the repair: ${missing.join()}`)
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
