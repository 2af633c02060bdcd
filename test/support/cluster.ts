import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { WebSocket } from "ws"
import { connect } from "../../src/client/index.ts"
import type { Change, Connection, Room } from "../../src/client/index.ts"
import { relay } from "../../src/pubsub/index.ts"
import { natsServer, redisServer } from "./engine.js"
import type { Engine } from "./engine.js"

export type EngineName = "ipc" | "redis" | "nats"

/** A server process that can be connected to, suspended and killed. */
export interface ClusterNode {
  readonly name: string
  readonly url: string
  signal(signal: NodeJS.Signals): void
  /** Ends the process, and resolves once it has exited. */
  end(signal: "SIGKILL" | "SIGTERM"): Promise<void>
}

/** A client, connected to one node. */
export interface Member {
  readonly connection: Connection
  readonly room: Room<{ on: string }>
  readonly changes: Change<{ on: string }>[]
  /** Returns the keys that this client sees in the room, sorted. */
  sees(): string[]
}

/** Server processes on a real engine, and clients of theirs. */
export interface Cluster {
  /** The engine's server process; `undefined` for ipc, which has none. */
  readonly engine: Engine | undefined
  /** Starts a server process. @param options of its `createServer` */
  start(name: string, options?: object): Promise<ClusterNode>
  join(node: ClusterNode, name: string, topic?: string): Promise<Member>
  close(): Promise<void>
}

/**
 * Starts an engine, for the server processes that the test starts.
 *
 * @param engineOptions options of `redis` or `nats` that name servers of the test's own; no engine is started then
 */
export async function startCluster(
  engineName: EngineName,
  tracker: object = {},
  engineOptions?: object,
): Promise<Cluster> {
  const engine = engineOptions === undefined ? await engineOf(engineName) : undefined
  await engine?.start()
  const workers = relay()
  const nodes = new Set<ChildProcess>()
  const connections: Connection[] = []

  async function start(name: string, options: object = {}): Promise<ClusterNode> {
    const given = { engine: engineName, url: engine?.url, engineOptions, node: name, tracker, ...options }
    const child = fork("test/support/cluster-node.js", [JSON.stringify(given)], { serialization: "advanced" })
    nodes.add(child)
    if (engineName === "ipc") workers.add(child)
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
    const url = await new Promise<string>((resolve, reject) => {
      child.on("message", (message: { listening?: string }) => {
        if (message.listening !== undefined) resolve(message.listening)
      })
      child.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it was listening`)))
    })
    return {
      name,
      url,
      signal: (signal) => void child.kill(signal),
      async end(signal) {
        child.kill(signal)
        await ended
        nodes.delete(child)
      },
    }
  }

  async function join(node: ClusterNode, name: string, topic = "rooms:1"): Promise<Member> {
    const connection = connect(`${node.url.replace("http", "ws")}/socket`, {
      params: { name },
      transport: WebSocket,
      reconnectAfterMs: () => 50,
      rejoinAfterMs: () => 50,
    })
    connections.push(connection)
    const room = connection.room<{ on: string }>(topic)
    const changes: Change<{ on: string }>[] = []
    room.onChange((more) => void changes.push(...more))
    await room.joined
    return { connection, room, changes, sees: () => Array.from(room.list((key) => key)).sort() }
  }

  return {
    engine,
    start,
    join,
    async close() {
      for (const connection of connections) connection.disconnect()
      for (const child of nodes) {
        child.kill("SIGCONT")
        child.kill("SIGKILL")
      }
      await engine?.kill()
    },
  }
}

async function engineOf(name: EngineName): Promise<Engine | undefined> {
  if (name === "ipc") return undefined
  return name === "redis" ? redisServer() : natsServer()
}
