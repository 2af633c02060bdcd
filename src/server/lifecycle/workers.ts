import cluster from "node:cluster"
import type { Worker } from "node:cluster"
import { ConfigError } from "../../error.ts"
import { relay } from "../../pubsub/relay.ts"
import { WORKER_SECRET } from "../role.ts"
import { isSignalled } from "./signals.ts"

/** A worker that ends sooner than this after its start is not started again at once, in ms. */
const HASTE_MS = 1_000

/** `[TAG, word]`: an IPC channel carries other things as well. */
const TAG = "rollcall-workers"

/** A worker `hears` from now on, the primary has it `close`, and it has `closed`. */
type Word = "hears" | "close" | "closed"

/** What ends a worker once it has closed, and how long it may take for both before it is killed. */
export interface Ending {
  readonly signal: NodeJS.Signals
  readonly graceMs: number
}

/** Worker processes that serve one port together. */
export interface Workers {
  readonly port: number
  readonly address: string
  /** Has all of them close and end, and resolves once they have. */
  close(): Promise<void>
}

/**
 * Forks this very program `count` times, and relays between the workers. A worker that dies is told to the others at
 * once, and replaced.
 *
 * Resolves once all listen, and rejects when one of them ends before it does.
 */
export async function forkWorkers(count: number, secret: string, ending: Ending): Promise<Workers> {
  if (!Number.isInteger(count) || count < 1) throw new ConfigError(`expected workers to be 1 or more, got ${count}`)
  let closing: Promise<unknown> | undefined
  /** Those that can be asked to close; the others serve nobody yet. */
  const hearing = new WeakSet<Worker>()
  cluster.setupPrimary({ serialization: "advanced" })
  relay(cluster)

  const fork = (): Worker => {
    const started = performance.now()
    const worker = cluster.fork({ [WORKER_SECRET]: secret })
    worker.on("message", (message) => isWord(message, "hears") && hearing.add(worker))
    worker.once("exit", () => {
      if (closing) return
      const wait = performance.now() - started < HASTE_MS ? HASTE_MS : 0
      setTimeout(() => closing ?? fork(), wait).unref()
    })
    return worker
  }
  const workers = Array.from({ length: count }, fork)
  const [first] = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<{ port: number; address: string }>((resolve, reject) => {
          worker.once("listening", resolve)
          worker.once("exit", (code, signal) => reject(new ConfigError(tooEarly(code, signal))))
        }),
    ),
  ).catch((error: unknown) => {
    closing = Promise.resolve()
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGKILL")
    throw error
  })

  return {
    port: first?.port ?? 0,
    address: first?.address ?? "",
    async close() {
      const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined)
      closing ??= Promise.all(workers.map((worker) => end(worker, hearing.has(worker), ending)))
      await closing
    },
  }
}

/** What the primary closes, of all servers in this worker. */
const closings = new Set<() => Promise<void>>()
let isHearing = false

/**
 * Has a worker close something when its primary asks. A signal would not do: the program may listen to none, or to others.
 * Returns the undo, which `close` is to call.
 */
export function closeWhenAsked(close: () => Promise<void>): () => void {
  closings.add(close)
  // For good: a worker that has closed by itself is asked, too, and then has nothing more to do.
  if (!isHearing) process.on("message", onAsked)
  isHearing = true
  say("hears")
  return () => void closings.delete(close)
}

async function onAsked(message: unknown): Promise<void> {
  if (!isWord(message, "close")) return
  await Promise.allSettled(Array.from(closings, (close) => close()))
  // Whom a signal has told to end is about to, in the program's own way perhaps, which one more would cut short.
  if (!isSignalled()) say("closed")
}

/** The primary may be gone, and this process is then about to be. */
function say(word: Word): void {
  process.send?.([TAG, word], undefined, undefined, () => undefined)
}

function isWord(message: unknown, word: Word): boolean {
  return Array.isArray(message) && message[0] === TAG && message[1] === word
}

/** Has a worker close before it is signalled, which ends it or has its program do so, and kills it when it takes too long. */
async function end(worker: Worker, hears: boolean, { signal, graceMs }: Ending): Promise<void> {
  // It may have been told by the same terminal or init system, and be gone already.
  if (worker.isDead()) return
  const exited = new Promise((resolve) => worker.once("exit", resolve))
  const kill = (): void => void worker.process.kill(signal)
  if (hears) {
    worker.on("message", (message) => isWord(message, "closed") && kill())
    worker.send([TAG, "close"] satisfies [string, Word], (error: Error | null) => error && kill())
  } else kill()
  const timer = setTimeout(() => worker.process.kill("SIGKILL"), graceMs)
  await exited
  clearTimeout(timer)
}

function tooEarly(code: number | null, signal: string | null): string {
  return `expected each worker to listen, but one ended ${signal === null ? `with code ${code}` : `by ${signal}`} before it did`
}
