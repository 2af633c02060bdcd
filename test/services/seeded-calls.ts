import { os } from "@orpc/server"
import { loadOrpc } from "../../src/services/orpc.ts"
import { random as randomRoute, byKey, type Services } from "../../src/services/index.ts"
import { mulberry32 } from "../../src/testing/prng.ts"
import type { SeededNetworkOptions } from "../../src/testing/seeded-network.ts"
import { callsShapeOf, type CallsShape } from "./seeded-shape.ts"
import { SeededServices, type Breach, type SeededRun, type ServiceNode } from "./seeded-services.ts"

/** One call of a run, and everything that came of it. */
interface SeededCall {
  readonly id: string
  readonly from: Services
  readonly kind: "plain" | "idempotent" | "stream"
  readonly due: number
  /** The instances that ran it. */
  readonly runs: string[]
  /** The values or error codes with which it ended; exactly one in a correct run. */
  readonly ends: string[]
  readonly items: number[]
  endedAt: number
}

const TIMEOUT_MS = 3_000
/** How long an open stream may take to notice that its instance is gone: see `ReceivedStream`. */
const STREAM_MS = 15_000

/**
 * Between two events, the network lets promises take a few turns only, and an item of a stream takes more of them. Where there
 * are few events, it needs to be run in short steps, or a second would pass until the next item. In virtual ms.
 */
const STEP_MS = 5
/** How long after the last end of a call it is checked that none ends twice, in virtual ms: what the network delays, comes until then. */
const QUIET_MS = 1_000
/** A call ends in a microtask after its deadline, and the network runs those at its next event. */
const SLACK_MS = 50
/** Every so-manieth stream is long: it needs credit several times. Most are short, as their items take the most time of a run. */
const LONG_STREAMS = 4

/** What is wrong with a call. */
function mistakesOf({ kind, runs, ends, items, id, due, endedAt }: SeededCall): string[] {
  const found: string[] = []
  if (ends.length !== 1) found.push(`ended ${ends.length} times: ${ends.join(", ")}`)
  if (kind !== "idempotent" && runs.length > 1) found.push(`ran on ${runs.join(", ")}`)
  if (new Set(runs).size !== runs.length && kind !== "idempotent") found.push(`ran twice on one of ${runs.join(", ")}`)
  if (ends[0] === `value ${id}` && runs.length === 0) found.push("was answered without running")
  if (ends[0]?.startsWith("value") === true && ends[0] !== `value ${id}`)
    found.push(`got the answer of another: ${ends[0]}`)
  if (endedAt > due + SLACK_MS) found.push(`ended ${endedAt - due} ms after its deadline`)
  if (items.some((item, n) => item !== n + 1)) found.push(`got the items ${items.join(", ")}`)
  return found.map((mistake) => `call ${id} (${kind}) ${mistake}`)
}

/**
 * Lets four nodes call each other over a network that loses, doubles and delays messages, splits, and kills nodes. Then
 * checks the promises that are made of each call.
 */
export async function seededCalls(
  seed: number,
  { breach, shape = callsShapeOf }: { readonly breach?: Breach; readonly shape?: (seed: number) => CallsShape } = {},
): Promise<SeededRun> {
  await loadOrpc()
  const choose = mulberry32(seed ^ 0x5eed)
  const { nodes: names, runMs, disturbance, isWarm, waitsOn } = shape(seed)
  const conditions: SeededNetworkOptions = {
    seed,
    seesNodesDie: choose() < 0.5,
    loss: choose() < 0.3 ? 0 : choose() * 0.2,
    duplication: choose() * 0.3,
    reordering: choose() < 0.5 ? 0 : choose() * 0.3,
    delayMs: [1, 1 + choose() * 60],
  }
  const cluster = new SeededServices(conditions, breach)
  const { network } = cluster
  const calls = new Map<string, SeededCall>()
  const nodes = new Map<string, ServiceNode>()

  function start(name: string): void {
    const node = cluster.start(name)
    nodes.set(name, node)
    const ran = (id: string): void => void calls.get(id)!.runs.push(name)
    const later = (ms: number): Promise<void> => new Promise((resolve) => node.node.timers.set(resolve, ms))
    node.services.serve("game", {
      plain: os.handler(async ({ input }) => {
        const { id, ms } = input as { id: string; ms: number }
        ran(id)
        await later(ms)
        return id
      }),
      stream: os.handler(async function* ({ input }) {
        const { id, ms, count } = input as { id: string; ms: number; count: number }
        ran(id)
        for (let n = 1; n <= count; n += 1) {
          await later(ms)
          yield n
        }
        return id
      }),
    })
  }

  function call(from: ServiceNode): void {
    const id = `${calls.size}`
    const kind = (["plain", "idempotent", "stream"] as const)[Math.floor(choose() * 3)]!
    const count = Math.floor(choose() * (calls.size % LONG_STREAMS === 0 ? 100 : 12))
    const due = network.now + TIMEOUT_MS + (kind === "stream" ? STREAM_MS + count * 100 : 0)
    const made: SeededCall = { id, from: from.services, kind, due, runs: [], ends: [], items: [], endedAt: 0 }
    calls.set(id, made)
    const ended = (end: string): void => {
      // The program of a killed node runs no further.
      if (made.ends[0] === "killed") return
      made.ends.push(end)
      made.endedAt = network.now
    }
    const failed = (error: unknown): void => ended((error as { code?: string }).code ?? String(error))
    const route = choose() < 0.5 ? randomRoute() : byKey(id)
    const options = { route, timeoutMs: TIMEOUT_MS, idempotent: kind === "idempotent" }
    if (kind === "stream") {
      const consume = async (): Promise<void> => {
        const stream = await from.services.call<AsyncIterator<number, string>>(
          "game",
          "stream",
          { id, count, ms: 20 },
          options,
        )
        for (;;) {
          const { done, value } = await stream.next()
          if (done === true) return ended(`value ${value}`)
          made.items.push(value)
        }
      }
      consume().catch(failed)
    } else {
      from.services
        .call("game", "plain", { id, ms: choose() * 200 }, options)
        .then((value) => ended(`value ${String(value)}`), failed)
    }
  }

  for (const name of names) start(name)
  if (isWarm) await network.run(2_000)
  const end = network.now + runMs
  while (network.now < end) {
    await network.run(choose() * 40)
    const living = [...nodes.values()]
    call(living[Math.floor(choose() * living.length)]!)
    const chance = choose() / disturbance
    if (chance < 0.01) network.split(names.filter(() => choose() < 0.5))
    else if (chance < 0.03) network.heal()
    else if (chance < 0.035 && nodes.size > 1) {
      const name = [...nodes.keys()][Math.floor(choose() * nodes.size)]!
      const { node, services } = nodes.get(name)!
      // The callers on a killed node are killed, too.
      for (const made of calls.values()) if (made.ends.length === 0 && made.from === services) made.ends.push("killed")
      node.crash()
      nodes.delete(name)
    } else if (chance < 0.05) for (const name of names) if (!nodes.has(name)) start(name)
  }
  network.heal()
  network.set({ loss: 0 })
  const last = network.now + TIMEOUT_MS + STREAM_MS + 10_000
  const isOpen = (): boolean => [...calls.values()].some(({ ends }) => ends.length === 0)
  if (waitsOn) await network.run(last - network.now)
  while (network.now < last && isOpen()) await network.run(STEP_MS)
  await network.run(QUIET_MS)
  const seen = new Map<string, number>([
    ["runs", 1],
    ["calls", calls.size],
    ["virtual s", Math.round(network.now / 1_000)],
  ])
  for (const { ends } of calls.values()) {
    const outcome = ends[0]?.split(" ")[0] ?? "none"
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
  }
  return { mistakes: [...calls.values()].flatMap(mistakesOf), seen }
}
