import { os } from "@orpc/server"
import type { Placement } from "../../src/services/index.ts"
import { placedTopic } from "../../src/services/instance-row.ts"
import { loadOrpc } from "../../src/services/orpc.ts"
import { mulberry32 } from "../../src/testing/prng.ts"
import { SeededServices, type Breach, type SeededRun, type ServiceNode } from "./seeded-services.ts"
import { CALL_SHARE, shapeOf, type Shape } from "./seeded-shape.ts"

/** A process of the simulation: the tokens of the calls that it has run. */
type Tokens = Set<string>

interface Taking extends ServiceNode {
  readonly name: string
  readonly sessions: Placement
}

export interface PlacementRunOptions {
  /** Whether nodes come and close only, and none dies or is cut off. */
  readonly isLiving?: boolean
  /** The most of what the network may lose. */
  readonly maxLoss?: number
  /** Returns how large the run of a seed is; by default `shapeOf`. */
  readonly shape?: (seed: number) => Shape
  readonly breach?: Breach
}

/** How a call may fail. */
const EXPECTED = new Set([
  "instance_gone",
  "timeout",
  "moving",
  "closed",
  "remote_error",
  "no_instance",
] as const as readonly unknown[])
const TOPIC = placedTopic("session")
/** A down period that no living node reaches, however many messages are lost. */
const LASTING = { downPeriodMs: 30_000 }
/**
 * The most of what the network loses while nodes live. With more, all messages of a node that has just come can be lost for a
 * second. Another one that sees no others then starts a process that runs there, as docs/services.md says.
 */
const LIVING_LOSS = 0.05
/** How long a run then has to settle, in virtual ms. */
const SETTLE_MS = 150_000
/** How often it is checked whether a run has settled, and how long it must stay so, in virtual ms. */
const CHECK_MS = 500
const QUIET_MS = 4_000
/** How long processes may take to run again after the end of their node: until it counts as down, and a few tries. */
const RESTART_MS = 60_000
const context = os.$context<{ process: Tokens }>()

/**
 * Lets nodes call and stop processes over a network that loses, doubles and reorders messages and splits, while nodes are
 * started, killed and closed. Then checks what is promised of placement.
 */
export async function seededPlacement(
  seed: number,
  { isLiving = false, maxLoss, shape = shapeOf, breach }: PlacementRunOptions = {},
): Promise<SeededRun> {
  await loadOrpc()
  const choose = mulberry32(seed ^ 0x91ace)
  const { nodes: names, kept, stopped, runMs, callShare, healShare, tracking, aloneAfterMs, waitsOn } = shape(seed)
  /** The ids that are also stopped, so that nothing is promised of their state. */
  const stoppable = new Set(Array.from({ length: stopped }, (_, n) => `q${n}`))
  const ids = [...Array.from({ length: kept }, (_, n) => `p${n}`), ...stoppable]
  const conditions = {
    seesNodesDie: choose() < 0.5,
    loss: choose() < 0.3 ? 0 : choose() * (maxLoss ?? (isLiving ? LIVING_LOSS : 0.15)),
    duplication: choose() * 0.3,
    reordering: choose() < 0.5 ? 0 : choose() * 0.3,
    delayMs: [1, 1 + choose() * 60] as const,
  }
  const cluster = new SeededServices({ seed, ...conditions }, breach)
  /** Where nothing is lost, every call of a living node is answered. */
  const isReliable = isLiving && conditions.loss + conditions.reordering === 0
  const { network } = cluster
  const seen = new Map<string, number>()
  const mistakes: string[] = []
  const nodes = new Map<string, Taking>()
  /** The names of nodes that are closing. A node is started again only when its former program has ended. */
  const closing = new Set<string>()
  /** Node objects whose programs run no further. */
  const dead = new Set<object>()
  const runs = new Map<string, number>()
  const acknowledged = new Map<string, { readonly id: string; readonly token: string }>()
  /** Tokens that a killed node, or one that had nobody to hand them to, took with it. */
  const excused = new Set<string>()
  /** Closing node → the nodes that knew of each of its processes then. */
  const knownAtClose = new Map<object, ReadonlyMap<string, readonly object[]>>()
  /** The ids of processes that have run, and have to run in the end. */
  const started = new Set<string>()
  /**
   * Id → for each process that is gone with its node, and for which none has come yet, the nodes that know of it. It has to run
   * again if one of them lives on. No other node can know that it ever ran.
   */
  const gone = new Map<string, readonly (readonly object[])[]>()
  /** The processes of each node, also those whose state is on its way. */
  const held = new Map<object, Map<string, Set<Tokens>>>()
  let hasSplit = false
  const saw = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1)
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(choose() * values.length)]!

  function start(name: string): void {
    const node = cluster.start(name, {}, isLiving ? { ...tracking, ...LASTING } : tracking)
    const { timers } = node.node
    const own = new Map<string, Set<Tokens>>()
    held.set(node.node, own)
    const later = (ms: number): Promise<void> => new Promise((resolve) => timers.set(resolve, ms))
    const sessions = node.services.place<Tokens, string[]>(
      "session",
      {
        async start(id, state = []) {
          const process = new Set(state)
          if (choose() < 0.5) await later(choose() * 100)
          own.set(id, (own.get(id) ?? new Set()).add(process))
          if (choose() < 0.02) throw new Error("start fails")
          return process
        },
        async stop(id, reason, process) {
          saw(reason)
          if (choose() < 0.5) await later(choose() * 100)
          if (reason === "closed") {
            for (const token of process) excused.add(token)
            // What was never seen to run here has not left the node that hands it over.
            if (heldBy(taking).includes(id)) goneWith(taking, id)
          }
          return [...process]
        },
        merge(id, state, process) {
          saw("merge")
          if (isLiving) mistakes.push(`${id} has run twice at a time`)
          else for (const token of state) process.add(token)
        },
        router: {
          add: context.handler(async ({ context: { process }, input }) => {
            const token = String(input)
            runs.set(token, (runs.get(token) ?? 0) + 1)
            if (choose() < 0.3) await later(choose() * 300)
            process.add(token)
            return token
          }),
        },
      },
      { handOverMs: 400, ...(isLiving ? { aloneAfterMs } : {}) },
    )
    const taking: Taking = { ...node, name, sessions }
    nodes.set(name, taking)
  }

  /** The rows that a node itself has of processes, also of those that have stopped and are on their way. */
  const heldBy = ({ node, tracker }: Taking): string[] =>
    ids.filter((id) => tracker.getByKey(TOPIC, id).some(({ pid }) => pid.endsWith(`@${node.name}`)))

  function loseTokens({ node }: Taking, id: string): void {
    for (const tokens of held.get(node)!.get(id) ?? []) for (const token of tokens) excused.add(token)
  }

  /** Returns the nodes that see a process at another one. */
  const knowersOf = ({ name }: Taking, id: string): readonly object[] =>
    [...nodes.values()]
      .filter((other) => other.name !== name)
      .filter(({ tracker }) => tracker.getByKey(TOPIC, id).some(({ pid }) => pid.endsWith(`@${name}`)))
      .map(({ node }) => node)

  /** Notes that a process is gone with its node. Those that knew of it when the node began to close may have seen it leave. */
  function goneWith(taking: Taking, id: string): void {
    const before = knownAtClose.get(taking.node)?.get(id) ?? []
    gone.set(id, [...(gone.get(id) ?? []), [...before, ...knowersOf(taking, id)]])
  }

  let tokens = 0
  /** Calls and stops that have not ended, and whose nodes have not died. */
  const pending = new Map<object, Taking>()
  function until(from: Taking, ended: Promise<void>): void {
    const entry = {}
    pending.set(entry, from)
    void ended.then(() => pending.delete(entry))
  }

  /** Where no notice of a stop is lost, an id that was stopped, and not called since, must not run again. */
  const stops = stopsToKeep()
  const isHeard = conditions.loss === 0

  function call(from: Taking): void {
    const id = pick(ids)
    const token = `t${(tokens += 1)}`
    const called = stops.called(id)
    const ended = from.sessions.call(id, "add", token, { timeoutMs: 3_000 }).then(
      () => {
        if (dead.has(from.node)) return
        saw("value")
        acknowledged.set(token, { id, token })
      },
      (error: unknown) => {
        const { code } = error as { code?: string }
        const isAbandoned = isReliable && code === "instance_gone" && nodes.has(from.name)
        if (!EXPECTED.has(code) || isAbandoned) mistakes.push(`${token} failed with ${String(error)}`)
        saw(`failed ${code}`)
      },
    )
    until(from, ended.then(called))
  }

  for (const name of names) start(name)
  // In a large run, calls are also made before the nodes are open.
  await network.run(waitsOn || !isLiving ? 2_000 : Math.max(2_000, aloneAfterMs))
  const end = network.now + runMs
  while (network.now < end) {
    await network.run(choose() * 150)
    const living = [...nodes.values()]
    for (const { sessions } of living) {
      for (const id of sessions.local()) {
        started.add(id)
        gone.delete(id)
      }
    }
    const chance = shareOf(choose(), callShare)
    if (chance < CALL_SHARE || (chance < 0.85 && stopped === 0)) call(pick(living))
    else if (chance < 0.85) {
      const taking = pick(living)
      const id = pick([...stoppable])
      const isKept = stops.stopping(id)
      const ended = taking.sessions.stop(id, { timeoutMs: 3_000 }).then(
        (was) => {
          saw(`stop ${was}`)
          if (isHeard && !hasSplit && isKept() && !dead.has(taking.node)) saw("stop to keep")
        },
        () => saw("stop failed"),
      )
      until(taking, ended)
    } else if (chance < 0.87) {
      if (!isLiving) {
        network.split(names.filter(() => choose() < 0.5))
        hasSplit = true
      }
    } else if (chance < 0.9) {
      if (healShare === 1 || choose() < healShare) network.heal()
    } else if (!isLiving && chance < 0.92 && living.length > 1) {
      const taking = pick(living)
      for (const id of heldBy(taking)) {
        loseTokens(taking, id)
        goneWith(taking, id)
      }
      dead.add(taking.node)
      taking.node.crash()
      nodes.delete(taking.name)
      saw("crash")
    } else if (chance < 0.94 && living.length > 1) {
      const taking = pick(living)
      nodes.delete(taking.name)
      closing.add(taking.name)
      knownAtClose.set(taking.node, new Map(heldBy(taking).map((id) => [id, knowersOf(taking, id)])))
      saw("close")
      void taking.services.close({ drainMs: 5_000 }).then(async () => {
        // What it could not hand over in time is gone with it.
        for (const error of taking.errors) {
          const [, id] = /process "(\w+)".*its state is lost/.exec(String(error)) ?? []
          if (id === undefined) continue
          loseTokens(taking, id)
          goneWith(taking, id)
        }
        await taking.tracker.close()
        await taking.node.pubsub.close()
        dead.add(taking.node)
        closing.delete(taking.name)
      })
    } else if (chance < 0.98)
      for (const name of names) if (!nodes.has(name) && !closing.has(name) && choose() < 0.7) start(name)
  }
  network.heal()
  network.set({ loss: 0 })
  const settled = network.now + SETTLE_MS
  let quietAt = Infinity
  while (network.now < Math.min(settled, quietAt + QUIET_MS)) {
    await network.run(waitsOn ? SETTLE_MS : CHECK_MS)
    quietAt = isQuiet() ? Math.min(quietAt, network.now) : Infinity
  }
  if (network.now >= settled) saw("waited to the end")
  mistakes.push(...mistakesNow())
  const living = [...nodes.values()]
  if (!isLiving && living.length > 1) await killOne(living)
  saw("runs")
  seen.set("calls", tokens)
  seen.set("virtual s", Math.round(network.now / 1_000))
  return { mistakes, seen }

  /** Whether nothing is on its way, all nodes see the same, and nothing is wrong. A later change would be one of its own accord. */
  function isQuiet(): boolean {
    for (const { node } of pending.values()) if (!dead.has(node)) return false
    if (closing.size > 0) return false
    const living = [...nodes.values()]
    const views = living.map(({ tracker, services }) =>
      JSON.stringify([
        services.list("place:session").map(({ node, meta }) => [node, meta]),
        ids.map((id) => tracker.getByKey(TOPIC, id).map(({ pid, meta }) => [pid, meta])),
      ]),
    )
    const isMoving = views[0]?.includes('"moving":true') === true
    const isSame = new Set(views).size === 1 && living[0]!.services.list("place:session").length === living.length
    return isSame && !isMoving && mistakesNow().length === 0
  }

  /** What is wrong, if all has healed. */
  function mistakesNow(): string[] {
    const mistakes: string[] = []
    const living = [...nodes.values()]
    for (const [token, count] of runs) if (count > 1) mistakes.push(`${token} ran ${count} times`)
    for (const id of ids) {
      const running = living.filter(({ sessions }) => sessions.local().includes(id))
      if (running.length > 1) mistakes.push(`${id} runs on ${running.map(({ name }) => name).join(", ")}`)
      if (isHeard && !hasSplit && running.length > 0 && stops.has(id)) mistakes.push(`${id} runs after its stop`)
      const places = new Set(living.map(({ sessions }) => sessions.whereis(id)?.instance))
      if (places.size > 1) mistakes.push(`${id} is seen at ${[...places].join(", ")}`)
      const isKnown = gone.get(id)?.some((knowers) => knowers.some((knower) => !dead.has(knower))) ?? true
      if (running.length === 0 && started.has(id) && !stoppable.has(id) && isKnown) mistakes.push(`${id} runs nowhere`)
    }
    for (const { id, token } of acknowledged.values()) {
      if (excused.has(token) || stoppable.has(id)) continue
      const taking = living.find(({ sessions }) => sessions.local().includes(id))
      const known = [...(taking === undefined ? [] : (held.get(taking.node)!.get(id) ?? []))].some((each) =>
        each.has(token),
      )
      if (!known) mistakes.push(`${token} of ${id} is lost`)
    }
    return mistakes
  }

  /** Kills the node with the most processes, of which all know. They run again: those that are asked for, and the others. */
  async function killOne(living: readonly Taking[]): Promise<void> {
    const [dying, ...others] = [...living].sort(
      (one, other) => other.sessions.local().length - one.sessions.local().length,
    )
    const ids = dying!.sessions.local()
    dying!.node.crash()
    for (const [n, id] of ids.entries()) {
      if (n % 2 === 1) continue
      const failed = (error: unknown): void => void mistakes.push(`${id} cannot be asked for: ${String(error)}`)
      pick(others).sessions.ensure(id, { timeoutMs: RESTART_MS }).catch(failed)
    }
    const runningOf = (id: string): readonly Taking[] => others.filter(({ sessions }) => sessions.local().includes(id))
    const end = network.now + RESTART_MS
    while (network.now < end && !ids.every((id) => runningOf(id).length === 1))
      await network.run(waitsOn ? RESTART_MS : CHECK_MS)
    for (const id of ids) {
      saw("restart")
      const running = runningOf(id)
      if (running.length !== 1) mistakes.push(`${id} runs on ${running.length} nodes after the end of its node`)
    }
  }
}

/** Remembers which ids have been stopped, and that no call has asked for since. One of a node that died may ask later. */
function stopsToKeep() {
  const calls = new Map<string, number>()
  const kept = new Set<string>()
  const change = (id: string, by: number): void => void calls.set(id, (calls.get(id) ?? 0) + by)
  const changes = new Map<string, number>()
  return {
    has: (id: string): boolean => kept.has(id),
    /** A call begins. Returns what ends it. */
    called(id: string): () => void {
      changes.set(id, (changes.get(id) ?? 0) + 1)
      kept.delete(id)
      change(id, 1)
      return () => change(id, -1)
    },
    /** A stop begins. Returns what notes that it has succeeded, and returns whether it is to last. */
    stopping(id: string): () => boolean {
      const before = changes.get(id)
      const isAlone = (calls.get(id) ?? 0) === 0
      return () => {
        if (isAlone && before === changes.get(id)) kept.add(id)
        return kept.has(id)
      }
    },
  }
}

/** Returns a number below 1, of which a share is below `CALL_SHARE`. */
const shareOf = (chance: number, callShare: number): number =>
  chance < callShare
    ? (chance / callShare) * CALL_SHARE
    : CALL_SHARE + ((chance - callShare) / (1 - callShare)) * (1 - CALL_SHARE)
