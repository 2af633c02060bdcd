import { NamespacedIndexes, type SubscriberIndex } from "./subscriber-index.ts"
import { envelop, read, repack, type FromPrimary } from "./ipc-messages.ts"
import type { DropReason } from "./pubsub.ts"

/** A worker as the primary holds it: a `Worker` of `node:cluster`, or a `ChildProcess` with an IPC channel. */
export interface WorkerProcess {
  send(message: unknown, callback?: (error: Error | null) => void): boolean
  on(event: "message", listener: (message: unknown) => void): unknown
  on(event: "exit" | "disconnect", listener: () => void): unknown
}

/** What is used of `node:cluster`. */
export interface WorkerCluster {
  readonly workers?: { readonly [id: string]: WorkerProcess | undefined } | undefined
  on(event: "fork", listener: (worker: WorkerProcess) => void): unknown
}

/** What `relay` takes. */
export interface RelayOptions {
  /** How many bytes may wait for one worker; what comes on top is dropped. 64 MiB by default. */
  readonly maxBufferedBytes?: number
  /** Told of each message that went no further. */
  readonly onDrop?: (reason: DropReason) => void
}

/** The primary's part of the bus: it passes messages between workers, and holds no node itself. */
export interface Relay {
  /** Serves one more worker, until it dies. */
  add(worker: WorkerProcess): void
}

/** One relay for a cluster: two would each pass on every message. */
const relays = new WeakMap<WorkerCluster, Relay>()

/**
 * Relays between worker processes: `relay(cluster)` serves those that it has and all that it forks, `relay()` those
 * that are added. For a cluster that is served already it returns that relay, with the options that it has.
 *
 * It knows who listens to what, so that a message goes only to the workers that want it, and tells all workers of a
 * node at once when it is gone. Fork with `serialization: "advanced"`, which carries payloads as they are: the default,
 * JSON, needs base64 and is many times slower for large ones, though a little faster for those below a kilobyte.
 */
export function relay(cluster?: WorkerCluster, options: RelayOptions = {}): Relay {
  const known = cluster && relays.get(cluster)
  if (known !== undefined) return known
  const hubs = new NamespacedIndexes<Line>()
  const made: Relay = { add: (worker) => serve(worker, hubs, options) }
  for (const worker of Object.values(cluster?.workers ?? {})) if (worker !== undefined) made.add(worker)
  cluster?.on("fork", made.add)
  if (cluster !== undefined) relays.set(cluster, made)
  return made
}

/** The way to one node: says something to it, and tells whether its channel carries bytes. */
interface Line {
  readonly binary: boolean
  say(said: FromPrimary, size?: number): void
}

interface Member {
  readonly hub: SubscriberIndex<Line>
  readonly node: string
  readonly line: Line
}

function serve(worker: WorkerProcess, hubs: NamespacedIndexes<Line>, options: RelayOptions): void {
  const { maxBufferedBytes = 64 * 1024 * 1024, onDrop = () => {} } = options
  const members = new Map<number, Member>()
  let buffered = 0

  const lineTo = (id: number, binary: boolean): Line => ({
    binary,
    say(said, size = 0) {
      if (size > 0 && buffered > maxBufferedBytes) return onDrop("overflow")
      buffered += size
      worker.send(envelop(id, said), (error) => {
        buffered -= size
        if (error && size > 0) onDrop("offline")
      })
    },
  })
  const leave = (id: number): void => {
    const member = members.get(id)
    if (member === undefined) return
    members.delete(id)
    member.hub.leave(member.node)
    for (const [, line] of member.hub.peers()) line.say(["down", member.node])
  }
  const enter = (id: number, namespace: string, node: string, probe: unknown): void => {
    const line = lineTo(id, probe instanceof Uint8Array)
    const hub = hubs.of(namespace)
    if (!hub.join(node, line)) return line.say(["taken"])
    members.set(id, { hub, node, line })
    line.say(["welcome", line.binary])
  }
  const pass = (from: string, line: Line, topic: string, payload: unknown): void => {
    const carried = repack(payload, line.binary)
    if (carried === undefined) return onDrop("garbage")
    line.say(["message", from, topic, carried], carried.length + 64)
  }
  const gone = (): void => {
    for (const id of members.keys()) leave(id)
  }

  worker.on("exit", gone)
  worker.on("disconnect", gone)
  worker.on("message", (message) => {
    const post = read(message)
    if (post === undefined) return
    if (typeof post === "string") return onDrop(post)
    const [word, one, two, three] = post.said
    const member = members.get(post.id)
    if (word === "hello" && member === undefined && typeof one === "string" && typeof two === "string") {
      enter(post.id, one, two, three)
    } else if (member === undefined) onDrop("garbage")
    else if (word === "listen" && typeof one === "string") {
      member.hub.listen(member.node, one)
      member.line.say(["listening", one])
    } else if (word === "unlisten" && typeof one === "string") member.hub.unlisten(member.node, one)
    else if (word === "publish" && typeof one === "string") {
      for (const [node, line] of member.hub.listeners(one)) if (node !== member.node) pass(member.node, line, one, two)
    } else if (word === "send" && typeof one === "string" && typeof two === "string") {
      const line = member.hub.listener(one, two)
      if (line !== undefined) pass(member.node, line, two, three)
    } else if (word === "bye") leave(post.id)
    else onDrop("garbage")
  })
}
