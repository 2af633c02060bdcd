import { afterEach, expect, test } from "vitest"
import { startCluster } from "../support/cluster.ts"
import type { Cluster, Member } from "../support/cluster.ts"
import { natsServer, type Engine } from "../support/engine.js"
import { freePort } from "../support/free-port.js"

// Three server processes on a NATS cluster of three, of which one is killed or suspended.
const TRACKER = { broadcastPeriodMs: 1_500, downPeriodMs: 9_000, permdownPeriodMs: 1_200_000 }

let cluster: Cluster | undefined
let servers: Engine[] = []

afterEach(async () => {
  await cluster?.close()
  await Promise.all(servers.map((server) => server.kill()))
})

async function threeServers(): Promise<Engine[]> {
  const routes = await Promise.all([freePort(), freePort(), freePort()])
  const list = routes.map((port) => `nats://127.0.0.1:${port}`).join(",")
  const started = await Promise.all(
    routes.map((port) =>
      natsServer(["--cluster_name", "test", "--cluster", `nats://127.0.0.1:${port}`, "--routes", list]),
    ),
  )
  await Promise.all(started.map((server) => server.start()))
  return started
}

async function allSee(members: readonly Member[], names: readonly string[]): Promise<void> {
  for (const member of members) await expect.poll(member.sees).toEqual(names)
}

test.each(["killed", "suspended"])(
  "a NATS server of a cluster that is %s costs nobody, and leaves no ghost",
  async (how) => {
    servers = await threeServers()
    // The first process is connected to the first server, and so on.
    const optionsOf = (at: number): object => ({
      engineOptions: {
        url: [...servers.slice(at), ...servers.slice(0, at)].map(({ url }) => url),
        client: { noRandomize: true },
      },
    })
    cluster = await startCluster("nats", TRACKER, {})
    const nodes = await Promise.all(["one", "two", "three"].map((name, at) => cluster!.start(name, optionsOf(at))))
    const ada = await cluster.join(nodes[0]!, "ada")
    const bob = await cluster.join(nodes[1]!, "bob")
    const cy = await cluster.join(nodes[2]!, "cy")
    await allSee([ada, bob, cy], ["ada", "bob", "cy"])
    const failedAt = performance.now()
    if (how === "killed") await servers[0]!.kill()
    else servers[0]!.signal("SIGSTOP")
    bob.connection.disconnect()
    const dan = await cluster.join(nodes[0]!, "dan")
    await allSee([ada, cy, dan], ["ada", "cy", "dan"])
    console.log(`a NATS server is ${how}: all views are equal ${Math.round(performance.now() - failedAt)} ms later`)
    for (const { changes } of [ada, cy]) {
      expect(changes.filter(({ type }) => type === "leave").map(({ key }) => key)).toEqual(["bob"])
    }
  },
)
