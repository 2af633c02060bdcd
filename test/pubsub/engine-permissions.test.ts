import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join as joinPath } from "node:path"
import { connect } from "@nats-io/transport-node"
import { afterEach, describe, expect, test } from "vitest"
import { nats } from "../../src/pubsub/nats.ts"
import type { PubSub, PubSubOptions } from "../../src/pubsub/pubsub.ts"
import { redis } from "../../src/pubsub/redis.ts"
import { subjectNames } from "../../src/pubsub/subject-names.ts"
import { createServer } from "../../src/server/index.ts"
import { natsServer, redisServer, type Engine } from "../support/engine.js"
import { redisClient } from "../support/redis-client.ts"
import { Inbox } from "../support/inbox.ts"
import { until } from "../support/until.ts"

/** What the user `guest` may do; the default user may do everything. */
interface Permissions {
  readonly mayPublish: boolean
  /** The topics to which it may subscribe, beside its own name `me`; all if it is missing. */
  readonly topics?: readonly string[]
}

interface RestrictedEngine {
  readonly server: Engine
  join(options: PubSubOptions): Promise<PubSub>
  joinAsGuest(options: PubSubOptions): Promise<PubSub>
  /** Subscribes to a channel of the engine. Returns a function that stops that. */
  listen(channel: string, receive: () => void): Promise<() => Promise<void>>
  /** Changes the permissions of the running server. */
  permit(permissions: Permissions): Promise<void>
  /** Starts the server again after a kill, with other permissions. */
  restart(permissions: Permissions): Promise<void>
}

const QUICK = { pingIntervalMs: 50 }
const names = subjectNames("rollcall")
const channelsOf = (topics: readonly string[]): string[] => [names.node("me"), ...topics.map(names.topic)]

async function restrictedRedis(permissions: Permissions): Promise<RestrictedEngine> {
  const server = await redisServer()
  const permit = async ({ mayPublish, topics }: Permissions): Promise<void> => {
    const admin = await redisClient(server.url)
    const channels =
      topics === undefined ? ["allchannels"] : ["resetchannels", ...channelsOf(topics).map((name) => `&${name}`)]
    const publish = mayPublish ? [] : ["-publish", "-spublish"]
    await admin.sendCommand(["ACL", "SETUSER", "guest", "on", ">secret", "+@all", ...publish, ...channels])
    await admin.close()
  }
  const restart = async (next: Permissions): Promise<void> => {
    await server.start()
    await permit(next)
  }
  await restart(permissions)
  const guestUrl = server.url.replace("//", "//guest:secret@")
  return {
    server,
    join: (options) => redis({ ...QUICK, ...options, url: server.url }),
    joinAsGuest: (options) => redis({ ...QUICK, ...options, url: guestUrl }),
    async listen(channel, receive) {
      const client = await redisClient(server.url)
      await client.subscribe(channel, receive)
      return async () => client.destroy()
    },
    permit,
    restart,
  }
}

const folders: string[] = []

async function restrictedNats(permissions: Permissions): Promise<RestrictedEngine> {
  const folder = await mkdtemp(joinPath(tmpdir(), "rollcall-"))
  folders.push(folder)
  const config = joinPath(folder, "nats.conf")
  const write = ({ mayPublish, topics }: Permissions): Promise<void> => {
    const publish = mayPublish ? '">"' : '{ deny: ">" }'
    const subscribe = topics === undefined ? '">"' : JSON.stringify(channelsOf(topics))
    const guest = `{ user: guest, password: secret, permissions: { publish: ${publish}, subscribe: ${subscribe} } }`
    return writeFile(config, `authorization { users: [{ user: all, password: "" }, ${guest}] }, no_auth_user: all`)
  }
  await write(permissions)
  const server = await natsServer(["--config", config])
  await server.start()
  const guestUrl = server.url.replace("//", "//guest:secret@")
  return {
    server,
    join: (options) => nats({ ...QUICK, ...options, url: server.url }),
    joinAsGuest: (options) => nats({ ...QUICK, ...options, url: guestUrl }),
    async listen(channel, receive) {
      const connection = await connect({ servers: server.url })
      connection.subscribe(channel, { callback: receive })
      await connection.flush()
      return () => connection.close()
    },
    async permit(next) {
      await write(next)
      server.signal("SIGHUP")
    },
    async restart(next) {
      await write(next)
      await server.start()
    },
  }
}

let engine: RestrictedEngine
const nodes: PubSub[] = []

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()))
  await engine.server.kill()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function watched(joining: (options: PubSubOptions) => Promise<PubSub>, node: string) {
  const errors: { code: string; message: string }[] = []
  const drops: string[] = []
  const pubsub = await joining({
    node,
    onError: (error) => void errors.push(error as { code: string; message: string }),
    onDrop: (reason) => void drops.push(reason),
  })
  nodes.push(pubsub)
  const codes = (): string[] => errors.map(({ code }) => code)
  return { pubsub, errors, codes, drops }
}

/** Resolves once the nodes of a name have sent several more probes to it. */
async function severalProbes(node: string): Promise<void> {
  const probes = new Inbox<string>(`the probes of ${node}`)
  const stop = await engine.listen(names.node(node), () => probes.put("probe"))
  await probes.count(10)
  await stop()
}

describe.each([
  ["redis", restrictedRedis, /NOPERM|no permissions/],
  ["nats", restrictedNats, /Permissions Violation/],
] as const)("on %s", (_, start, words) => {
  test("two nodes of one name are reported to both, once, and in the logs of their servers", async () => {
    engine = await start({ mayPublish: true })
    const logs: unknown[][] = [[], []]
    const [one, two] = [await watched(engine.join, "twin"), await watched(engine.join, "twin")]
    for (const [at, { pubsub }] of [one, two].entries()) {
      const log = (message: string, details?: object): void => void logs[at]?.push([message, details])
      createServer({ pubsub, logger: { warn: log, error: log } })
    }
    await until(() => one.codes().includes("name_conflict") && two.codes().includes("name_conflict"))
    await severalProbes("twin")
    for (const node of [one, two]) {
      expect(node.codes().filter((code) => code === "name_conflict")).toEqual(["name_conflict"])
      expect(node.errors[0]?.message).toContain('got two named "twin"')
    }
    const conflict = ["the bus reported an error", { error: expect.objectContaining({ code: "name_conflict" }) }]
    for (const log of logs) expect(log).toContainEqual(conflict)
  })

  test("a node that is started again under its name is no conflict", async () => {
    engine = await start({ mayPublish: true })
    const first = await watched(engine.join, "again")
    await first.pubsub.close()
    const second = await watched(engine.join, "again")
    await severalProbes("again")
    expect([...first.codes(), ...second.codes()]).toEqual([])
  })

  test("a user that may subscribe but not publish is reported once in the server's words, and its status says so", async () => {
    engine = await start({ mayPublish: false })
    const { pubsub, errors, codes } = await watched(engine.joinAsGuest, "me")
    expect(pubsub.status).toBe("disconnected")
    expect(pubsub.problem).toMatch(words)
    // Each probe of the node is refused. The nodes send them at the same interval.
    await watched(engine.join, "other")
    await severalProbes("other")
    expect(codes()).toEqual(["publish_refused"])
    expect(errors[0]?.message).toMatch(words)
    // The error was reported before this server existed. Its log must not be silent about it.
    const logged: unknown[] = []
    const log = (_message: string, details?: object): void => void logged.push(details)
    const server = createServer({ pubsub, logger: { warn: log, error: log } })
    await until(() => logged.length > 0)
    expect(logged).toEqual([{ error: expect.objectContaining({ message: expect.stringMatching(words) }) }])
    expect(server.stats()).toMatchObject({ bus: "disconnected", busProblem: expect.stringMatching(words) })
  })

  test("a user that is allowed to publish later is connected then, and its topics are subscribed", async () => {
    engine = await start({ mayPublish: false })
    const { pubsub } = await watched(engine.joinAsGuest, "me")
    const received = new Inbox<string>("what me received")
    const subscribed = pubsub.subscribe("room", (text) => received.put(new TextDecoder().decode(text)))
    await engine.permit({ mayPublish: true })
    await until(() => pubsub.status === "connected")
    await subscribed
    const other = await watched(engine.join, "other")
    other.pubsub.publish("room", bytes("welcome"))
    expect(await received.next()).toBe("welcome")
  })

  test("a user that may no longer publish is disconnected, with the server's words", async () => {
    engine = await start({ mayPublish: true })
    const { pubsub, codes } = await watched(engine.joinAsGuest, "me")
    await engine.permit({ mayPublish: false })
    await until(() => pubsub.status === "disconnected" && codes().includes("publish_refused"))
    expect(pubsub.problem).toMatch(words)
  })

  test("a topic that is revoked during an outage is reported, and the node is connected without it", async () => {
    engine = await start({ mayPublish: true, topics: ["one", "two"] })
    const { pubsub, errors, codes } = await watched(engine.joinAsGuest, "me")
    const received = new Inbox<string>("what me received")
    for (const topic of ["one", "two"]) {
      await pubsub.subscribe(topic, (text) => received.put(`${topic}: ${new TextDecoder().decode(text)}`))
    }
    await engine.server.kill()
    await until(() => pubsub.status === "disconnected")
    await engine.restart({ mayPublish: true, topics: ["one"] })
    await until(() => pubsub.status === "connected" && codes().includes("subscribe_refused"))
    expect(errors.find(({ code }) => code === "subscribe_refused")?.message).toMatch(/"two"/)
    const other = await watched(engine.join, "other")
    other.pubsub.publish("one", bytes("still here"))
    expect(await received.next()).toBe("one: still here")
    // Otherwise the second subscriber of the topic would be confirmed, and get nothing.
    await expect(pubsub.subscribe("two", () => undefined)).rejects.toMatchObject({ code: "subscribe_refused" })
    await engine.permit({ mayPublish: true, topics: ["one", "two"] })
    let attempt = 0
    while (!received.items.some((item) => item.startsWith("two"))) {
      other.pubsub.publish("two", bytes(`allowed again ${(attempt += 1)}`))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await (
      await pubsub.subscribe("two", () => undefined)
    )()
    expect(codes().filter((code) => code === "subscribe_refused")).toEqual(["subscribe_refused"])
  })
})

test("a message to a topic that Redis does not allow is counted as refused, and reported once", async () => {
  engine = await restrictedRedis({ mayPublish: true, topics: ["one"] })
  const { pubsub, codes, drops } = await watched(engine.joinAsGuest, "me")
  for (let i = 0; i < 3; i += 1) pubsub.publish("secret", bytes("x"))
  await until(() => drops.length === 3)
  expect(drops).toEqual(["refused", "refused", "refused"])
  expect(codes()).toEqual(["publish_refused"])
  expect(pubsub.status).toBe("connected")
})
