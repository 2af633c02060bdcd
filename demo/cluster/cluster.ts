import { SeededNetwork } from "rollcall/testing"
import { appendAction } from "./actions.js"
import type { Action } from "./actions.js"
import { ClusterNode } from "./cluster-node.js"
import { Flights } from "./flight.js"
import { PhoenixBeside } from "./phoenix-beside.js"
import type { PhoenixView } from "./phoenix-beside.js"
import { sentenceOfAction, sentenceOfFlight } from "./sentences.js"
import { turnEnded } from "./settle.js"

/** How long a message takes at most, in ms of virtual time: slow enough that one sees it fly. */
export const SLOW_MS = 900
/** Time passes in such steps, so that pages and nodes advance together. */
const SLICE_MS = 50
/** A node starts in as many steps of a millisecond each: it subscribes, and its pages connect and join. */
const START_STEPS = 10
/** The turns of each such step, in which pages and server answer each other. */
const START_TURNS = 10
/** Without virtual time, a page and its server always come to an end: a thousand turns mean a defect. */
const MAX_TURNS = 1_000
const MAX_LINES = 40
/** The distance between a message and its copy, in ms of virtual time. */
const COPY_MS = 1_500

/** How the network treats messages. */
export interface Weather {
  /** Percent of the messages. */
  readonly loss: number
  readonly double: number
  readonly reorder: number
  /** The greatest delay in ms. */
  readonly delay: number
}

/** A sentence about what happened, and when, in ms of virtual time. */
export interface Line {
  readonly at: number
  readonly text: string
}

/** A cluster of whole nodes in one process, in virtual time. The same seed and actions give the same run. */
export class Cluster {
  readonly seed: number
  readonly nodes: readonly ClusterNode[]
  readonly flights: Flights = new Flights()
  weather: Weather = { loss: 0, double: 0, reorder: 0, delay: SLOW_MS }
  /** The nodes on one side of the cut; the others are on the other side. Empty without a cut. */
  cut: readonly string[] = []
  /** All actions since the start. */
  actions: readonly Action[] = []
  /** What happened, the latest first. */
  lines: readonly Line[] = []
  /** How many things have happened since the start. */
  lineCount = 0
  /** How often somebody has left, or changed: a set with tombstones would remember each. */
  removals = 0
  readonly #network: SeededNetwork
  /** A network without messages, whose clock is that of the pages. */
  readonly #pages: SeededNetwork
  #beside: PhoenixBeside | undefined
  #latest: Promise<void> = Promise.resolve()

  private constructor(seed: number, names: readonly string[]) {
    this.seed = seed
    this.#pages = new SeededNetwork({ seed })
    const pageTimers = this.#pages.node("pages").timers
    this.#network = new SeededNetwork({ seed, delayMs: [1, 1], onMessage: (message) => this.#onMessage(message) })
    this.#beside = new PhoenixBeside(names)
    this.nodes = names.map(
      (name) =>
        new ClusterNode({
          name,
          network: this.#network,
          pageTimers,
          quickly: (call) => this.#quickly(call),
          changed: (node, diff) => this.#beside?.changed(node, diff),
        }),
    )
  }

  /** Starts nodes, which know each other when the promise resolves. */
  static async start(seed: number, count = 3): Promise<Cluster> {
    const names = Array.from({ length: count }, (_, index) => `node${index + 1}`)
    const cluster = new Cluster(seed, names)
    await cluster.#started()
    await cluster.#settle()
    cluster.#setDelay()
    return cluster
  }

  /** The virtual time since the start, in ms. */
  get now(): number {
    return this.#network.now
  }

  /** What each node would show by Phoenix's rules; `undefined` after a crash, which the comparison does not cover. */
  get beside(): readonly PhoenixView[] | undefined {
    return this.#beside?.views
  }

  node(name: string): ClusterNode | undefined {
    return this.nodes.find((node) => node.name === name)
  }

  /** Does an action, after those before it. An action that is not possible, such as the crash of a node that is down, does nothing. */
  act(action: Action): Promise<void> {
    this.#latest = this.#latest.then(() => this.#act(action))
    return this.#latest
  }

  /** Lets time pass until the next message arrives, or for a second if none is under way. */
  async step(): Promise<void> {
    await this.#latest
    const next = Math.min(
      ...this.flights.underway.map(({ message }) => message.arrivesAt ?? Infinity),
      this.now + 1_000,
    )
    await this.act({ do: "wait", ms: Math.max(1, Math.ceil(next - this.now)) })
  }

  /** Ends all pages. */
  close(): void {
    for (const node of this.nodes) node.close()
  }

  async #act(action: Action): Promise<void> {
    const sentence = sentenceOfAction(action, this)
    if (sentence !== undefined) this.#say(sentence)
    this.actions = appendAction(this.actions, action)
    await this.#do(action)
    await this.#settle()
  }

  async #do(action: Action): Promise<void> {
    switch (action.do) {
      case "wait":
        return this.#pass(action.ms)
      case "add":
        return this.node(action.node)?.add(action.name)
      case "remove":
        this.removals += this.node(action.node)?.person(action.name) === undefined ? 0 : 1
        return this.node(action.node)?.remove(action.name)
      case "away":
        return this.#changeAway(action.node, action.name)
      case "crash":
        this.#beside = undefined
        return this.node(action.node)?.crash()
      case "restart":
        this.node(action.node)?.restart()
        return this.#started()
      case "split":
        this.cut = action.nodes
        return this.#network.split(action.nodes)
      case "heal":
        this.cut = []
        return this.#network.heal()
      case "loss":
      case "double":
      case "reorder":
        this.weather = { ...this.weather, [action.do]: action.percent }
        return this.#setWeather()
      case "delay":
        this.weather = { ...this.weather, delay: action.ms }
        return this.#setDelay()
      case "lose":
        for (const message of this.flights.select(action.which)) message.lose()
        return
      case "repeat":
        for (const message of this.flights.select(action.which)) message.repeat(COPY_MS)
        return
      case "hurry":
        for (const message of this.flights.select(action.which)) message.hurry()
        return this.#pass(0)
    }
  }

  async #changeAway(node: string, name: string): Promise<void> {
    const person = this.node(node)?.person(name)
    if (person === undefined || !person.isLive) return
    this.removals += 1
    let isDone = false
    void person.change(!person.isAway).finally(() => (isDone = true))
    await this.#turnsUntil(() => isDone)
  }

  /** Lets time pass, for nodes and pages. */
  async #pass(ms: number): Promise<void> {
    let left = ms
    do {
      const slice = Math.min(SLICE_MS, left)
      await this.#pages.run(slice)
      await this.#network.run(slice)
      await turnEnded()
      left -= slice
    } while (left > 0)
  }

  /** Lets a little time pass, in which a node starts. */
  async #started(): Promise<void> {
    for (let step = 0; step < START_STEPS; step += 1) {
      for (let turn = 0; turn < START_TURNS; turn += 1) await this.#turn()
      await this.#pass(1)
    }
  }

  /** Waits until pages and servers have nothing more to tell each other. No virtual time passes. */
  async #settle(): Promise<void> {
    await this.#turnsUntil(() => this.nodes.every(({ isSettled }) => isSettled))
    // What was changed last reaches the pages.
    for (let turn = 0; turn < 3; turn += 1) await this.#turn()
  }

  async #turnsUntil(isDone: () => boolean): Promise<void> {
    for (let turn = 0; !isDone(); turn += 1) {
      if (turn > MAX_TURNS)
        throw new Error("expected pages and servers to come to an end, got a page without an answer")
      await this.#turn()
    }
  }

  async #turn(): Promise<void> {
    await turnEnded()
    await this.#network.run(0)
  }

  #setWeather(): void {
    const { loss, double, reorder } = this.weather
    this.#network.set({ loss: loss / 100, duplication: double / 100, reordering: reorder / 100 })
  }

  #setDelay(): void {
    this.#network.set({ delayMs: [this.weather.delay / 2, this.weather.delay] })
  }

  #quickly<Result>(call: () => Result): Result {
    this.#network.set({ delayMs: [1, 1] })
    try {
      return call()
    } finally {
      // While the cluster starts, all is quick.
      if (this.actions.length > 0) this.#setDelay()
    }
  }

  #onMessage(message: Parameters<Flights["changed"]>[0]): void {
    const flight = this.flights.changed(message, this.now)
    this.#beside?.sent(flight)
    const sentence = this.actions.length > 0 ? sentenceOfFlight(flight) : undefined
    if (sentence !== undefined) this.#say(sentence)
  }

  #say(text: string): void {
    this.lineCount += 1
    this.lines = [{ at: this.now, text }, ...this.lines].slice(0, MAX_LINES)
  }
}
