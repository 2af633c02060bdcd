import type { Action } from "./actions.js"
import { Cluster } from "./cluster.js"
import type { Link } from "./link.js"
import { SCENES } from "./scenes.js"
import type { Scene } from "./scenes.js"

/** The seed of a run of one's own, if none is given. */
const OWN_SEED = 1
/** A step of a scene takes at most this long: longer waits pass faster. */
const STEP_MS = 4_000
/** A tab that was hidden does not catch up. */
const MAX_TICK_MS = 400

/** What the page plays: a scene, step by step, or a run of one's own. No page is needed, and the time is handed in. */
export class Player {
  cluster: Cluster
  scene: Scene | undefined
  /** The number of steps that were begun. */
  step = 0
  /** Whether time runs on: see `setRunning`. */
  isRunning = false
  speed = 1
  #queue: Action[] = []
  /** How much faster than usual the current step passes. */
  #haste = 1
  /** The part of a ms that has not passed yet. */
  #rest = 0
  #isBusy = false

  private constructor(cluster: Cluster, scene: Scene | undefined) {
    this.cluster = cluster
    this.scene = scene
  }

  static async open(link: Link): Promise<Player> {
    const scene = "scene" in link ? SCENES.find(({ id }) => id === link.scene) : undefined
    const seed = "seed" in link ? link.seed : (scene?.seed ?? OWN_SEED)
    const player = new Player(await Cluster.start(seed), scene)
    if ("actions" in link) for (const action of link.actions) await player.cluster.act(action)
    else for (let step = 0; step < link.step; step += 1) await player.next(true)
    return player
  }

  /** The link to what is shown now. */
  get link(): Link {
    const { cluster, scene, step } = this
    return scene === undefined ? { seed: cluster.seed, actions: cluster.actions } : { scene: scene.id, step }
  }

  /** Whether a step is being played. */
  get isPlaying(): boolean {
    return this.#queue.length > 0
  }

  /** Whether all steps of the scene were played. */
  get hasEnded(): boolean {
    return this.scene !== undefined && this.step === this.scene.steps.length && !this.isPlaying
  }

  /** Ends the current step at once, or else begins the next one. @param atOnce whether that is to end at once, too */
  async next(atOnce: boolean): Promise<void> {
    if (this.isPlaying) return this.#finish()
    const step = this.scene?.steps[this.step]
    if (step === undefined) return
    this.step += 1
    this.isRunning = false
    this.#queue = [...step.actions]
    const ms = step.actions.reduce((sum, action) => sum + (action.do === "wait" ? action.ms : 0), 0)
    this.#haste = Math.max(1, ms / STEP_MS)
    if (atOnce) await this.#finish()
  }

  /** Does something that is not of the scene, which ends with it. */
  async act(action: Action): Promise<void> {
    await this.#finish()
    this.scene = undefined
    await this.cluster.act(action)
  }

  /** Lets time pass until the next message arrives. */
  async nextMessage(): Promise<void> {
    await this.#finish()
    this.scene = undefined
    this.isRunning = false
    await this.cluster.step()
  }

  /** Lets time run, or stops it. Time that runs is not of the scene, which ends with it. */
  async setRunning(isRunning: boolean): Promise<void> {
    await this.#finish()
    if (isRunning) this.scene = undefined
    this.isRunning = isRunning
  }

  /** Lets `ms` of real time pass, if something is played or time runs. */
  async tick(ms: number): Promise<"nothing" | "moved" | "ended"> {
    if (this.#isBusy || !(this.isPlaying || this.isRunning)) return "nothing"
    this.#isBusy = true
    this.#rest += Math.min(ms, MAX_TICK_MS) * this.speed * (this.isPlaying ? this.#haste : 1)
    try {
      if (!this.isPlaying) await this.#wait(Math.floor(this.#rest))
      else if (await this.#playOn()) return "ended"
    } finally {
      this.#isBusy = false
    }
    return "moved"
  }

  close(): void {
    this.#queue = []
    this.isRunning = false
    this.cluster.close()
  }

  /** Plays the queue as far as the time that has passed allows. Returns whether it has ended. */
  async #playOn(): Promise<boolean> {
    for (let action = this.#queue[0]; action !== undefined; action = this.#queue[0]) {
      if (action.do !== "wait") {
        this.#queue.shift()
        await this.cluster.act(action)
        continue
      }
      const ms = Math.min(action.ms, Math.floor(this.#rest))
      if (ms === 0) return false
      // Before it is done: meanwhile the step may be ended at once, which must not wait for this part again.
      if (ms === action.ms) this.#queue.shift()
      else this.#queue[0] = { do: "wait", ms: action.ms - ms }
      await this.#wait(ms)
    }
    return true
  }

  async #wait(ms: number): Promise<void> {
    this.#rest -= ms
    if (ms > 0) await this.cluster.act({ do: "wait", ms })
  }

  async #finish(): Promise<void> {
    const queue = this.#queue
    this.#queue = []
    for (const action of queue) await this.cluster.act(action)
  }
}
