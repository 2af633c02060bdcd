import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import { relay } from "rollcall/pubsub"
import { WORKERS } from "./messages.js"
import type { Notice, Order, Report, WorkerState } from "./messages.js"

/** How long after its end the dispatcher is started again, in ms. */
const RESTART_MS = 500

/** The process of a worker, or the last one that it had. */
export interface WorkerProcess {
  readonly state: WorkerState
  readonly pid: number
}

export interface ProcessesOptions {
  /** Called when the state of a worker has changed. */
  workerChanged(number: number, worker: WorkerProcess): void
  reported(report: Report): void
}

/** The worker processes and the dispatcher. This process relays the messages between them, and is no node itself. */
export interface Processes {
  worker(number: number): WorkerProcess | undefined
  /** Starts a worker that does not run. */
  start(number: number): void
  /** Kills the process of a worker, as `kill -9` does. */
  kill(number: number): void
  drain(number: number): void
  /** Sends an order to the dispatcher, also to a later one, should it have to be started again. */
  dispatch(order: Order): void
  /** Kills all processes. */
  stop(): void
}

/** Starts all workers, and the dispatcher. */
export function startProcesses({ workerChanged, reported }: ProcessesOptions): Processes {
  const bus = relay()
  const children = new Set<ChildProcess>()
  const workers = new Map<number, WorkerProcess & { readonly child: ChildProcess }>()
  let dispatcher: ChildProcess | undefined
  let latestOrder: Order | undefined
  let restarting: NodeJS.Timeout | undefined
  let isStopped = false

  function run(program: string, ...args: string[]): ChildProcess {
    // They use the bus of this process, and end with it. Payloads travel as bytes.
    const path = fileURLToPath(new URL(program, import.meta.url))
    const child = fork(path, args, {
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    })
    children.add(child)
    bus.add(child)
    // Without a listener, a message to a process that has just been killed would end this one.
    child.on("error", (error) => console.error(`${program} ${args.join(" ")}: ${error.message}`))
    child.once("exit", () => children.delete(child))
    return child
  }

  const isReady = (notice: Notice): boolean => notice.demo === "ready"
  const send = (child: ChildProcess, order: Order): void => {
    if (child.connected) child.send(order, () => undefined)
  }

  function change(number: number, child: ChildProcess, state: WorkerState): void {
    const worker = { child, state, pid: child.pid ?? 0 }
    workers.set(number, worker)
    workerChanged(number, worker)
  }

  function start(number: number): void {
    const former = workers.get(number)
    if (isStopped || (former !== undefined && children.has(former.child))) return
    const child = run("worker.js", String(number))
    change(number, child, "starting")
    child.on("message", (notice: Notice) => {
      if (isReady(notice)) change(number, child, "up")
    })
    child.once("exit", (code) => {
      if (!isStopped) change(number, child, code === 0 ? "drained" : "killed")
    })
  }

  function startDispatcher(): void {
    const child = run("dispatcher.js")
    dispatcher = child
    child.on("message", (notice: Notice) => {
      if (isReady(notice) && latestOrder !== undefined) send(child, latestOrder)
      if (notice.demo === "report") reported(notice.report)
    })
    child.once("exit", () => {
      if (!isStopped) restarting = setTimeout(startDispatcher, RESTART_MS)
    })
  }

  function stop(): void {
    isStopped = true
    clearTimeout(restarting)
    process.off("exit", stop)
    for (const child of children) child.kill("SIGKILL")
  }

  process.on("exit", stop)
  for (const number of WORKERS) start(number)
  startDispatcher()
  return {
    worker: (number) => workers.get(number),
    start,
    kill: (number) => void workers.get(number)?.child.kill("SIGKILL"),
    drain(number) {
      const worker = workers.get(number)
      if (worker?.state !== "up") return
      change(number, worker.child, "draining")
      send(worker.child, { demo: "drain" })
    },
    dispatch(order) {
      latestOrder = order
      if (dispatcher !== undefined) send(dispatcher, order)
    },
    stop,
  }
}
