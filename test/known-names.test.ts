import { describe, expect, it, onTestFinished, vi } from "vitest"
import { checkKnownNames } from "../src/known-names.ts"
import { ipc, local, LocalBus } from "../src/pubsub/index.ts"
import { nats } from "../src/pubsub/nats.ts"
import { redis } from "../src/pubsub/redis.ts"
import { createServer, tokens, watchKeys } from "../src/server/index.ts"
import { createServices } from "../src/services/index.ts"
import { createTracker } from "../src/tracker/index.ts"
import { linked } from "./support/linked.ts"

const refused = (name: string, remedy: string): unknown =>
  expect.objectContaining({
    code: "config",
    message: expect.stringMatching(new RegExp(`^expected an? .*, got "${name}": ${remedy}`)),
  })
/** What a program without types passes. */
const untyped = (options: object): any => options

describe("an unknown name", () => {
  const known = { idleTimeoutMs: true, node: true }

  it.each([
    ["idleTimeoutMS", "did you mean idleTimeoutMs?"],
    ["idleTimeout", "did you mean idleTimeoutMs?"],
    ["IDLE_TIMEOUT_MS", "did you mean idleTimeoutMs?"],
    ["idle-timeout-ms", "did you mean idleTimeoutMs?"],
    ["ndoe", "did you mean node?"],
  ])("is refused with the one that was probably meant: %j", (name, remedy) => {
    const message = linked(`expected an option, got ${JSON.stringify(name)}: ${remedy}`)
    expect(() => checkKnownNames("an option", { [name]: 1 }, known)).toThrow(
      expect.objectContaining({ code: "config", message }),
    )
  })

  it.each(["host", "constructor", ""])("that is like no known one is ignored with a warning, once: %j", (name) => {
    const warned = vi.spyOn(process, "emitWarning").mockReturnValue()
    onTestFinished(() => warned.mockRestore())
    for (let time = 0; time < 2; time += 1) checkKnownNames("an option", { [name]: 1 }, known)
    const message = `expected an option, got ${JSON.stringify(name)}: it is ignored; the names are idleTimeoutMs, node`
    expect(warned.mock.calls).toEqual([[message]])
  })

  it("is refused even if its value is undefined, such as that of an environment variable which is not set", () => {
    expect(() => checkKnownNames("an option", { ndoe: undefined }, known)).toThrow("did you mean node?")
  })

  it("is quoted without its control characters", () => {
    expect(() => checkKnownNames("an option", { "node\u001B[": 1 }, known)).toThrow('got "node\\u001b["')
  })

  it("is no mistake among the members of an instance, which may have members of its own", () => {
    class Options {
      readonly helper = 1
    }
    for (const given of [new Options(), undefined, null]) checkKnownNames("an option", given, known)
  })
})

describe("a misspelt option is refused", () => {
  it.each<[string, () => unknown, string, string]>([
    [
      "of createServer",
      () => createServer(untyped({ idleTimeoutMS: 5 })),
      "idleTimeoutMS",
      "did you mean idleTimeoutMs",
    ],
    [
      "of a server's tracker",
      () => createServer(untyped({ tracker: { dwonPeriodMs: 5 } })),
      "dwonPeriodMs",
      "did you mean downPeriodMs",
    ],
    [
      "of a server's services",
      () => createServer(untyped({ services: { secrets: "x" } })),
      "secrets",
      "did you mean secret",
    ],
    [
      "of a server's services' limits",
      () => createServer(untyped({ services: { limits: { streamWindows: 1 } } })),
      "streamWindows",
      "did you mean streamWindow",
    ],
    ["of createTracker", () => createTracker(untyped({ poolsize: 2 })), "poolsize", "did you mean poolSize"],
    [
      "of createServices",
      () => createServices(untyped({ tracker: createTracker(), onerror: () => {} })),
      "onerror",
      "did you mean onError",
    ],
    ["of local", () => local(untyped({ nod: "a" })), "nod", "did you mean node"],
    ["of a local bus", () => new LocalBus().join(untyped({ nmaespace: "a" })), "nmaespace", "did you mean namespace"],
    ["of watchKeys", () => watchKeys(untyped({ may: () => true, maxkeys: 5 })), "maxkeys", "did you mean maxKeys"],
  ])("%s", (_of, call, name, remedy) => {
    expect(call).toThrow(refused(name, remedy))
  })

  it.each<[string, () => Promise<unknown>, string, string]>([
    ["of listen", () => createServer().listen(untyped({ port: 0, hots: "::1" })), "hots", "did you mean host"],
    [
      "of listen's operations",
      () => createServer().listen(untyped({ port: 0, operations: { port: 0, hosts: "::1" } })),
      "hosts",
      "did you mean host",
    ],
    ["of redis", () => redis(untyped({ urls: ["redis://127.0.0.1:1"] })), "urls", "did you mean url"],
    ["of nats", () => nats(untyped({ urls: "127.0.0.1:1" })), "urls", "did you mean url"],
    ["of ipc", () => asWorker(() => ipc(untyped({ timeout: 5 }))), "timeout", "did you mean timeoutMs"],
    ["of tokens", () => tokens(untyped({ secret: "x".repeat(32), maxAge: 60 })), "maxAge", "did you mean maxAgeS"],
  ])("%s", async (_of, call, name, remedy) => {
    await expect(call()).rejects.toThrow(refused(name, remedy))
  })

  it("of announce, serve, place and a call of services, and a part of a placed kind", async () => {
    const services = createServices({ tracker: createTracker() })
    expect(() => services.announce("game", untyped({ zones: "a" }))).toThrow(refused("zones", "did you mean zone"))
    const kind = { start: () => 1, stop: () => undefined }
    expect(() => services.place("room", kind, untyped({ wieght: 2 }))).toThrow(refused("wieght", "did you mean weight"))
    const misspelt = { ...kind, merged: () => undefined }
    expect(() => services.place("room", untyped(misspelt))).toThrow(refused("merged", "did you mean merge"))
    await expect(services.call("game", "spawn", {}, untyped({ timeoutMS: 5 }))).rejects.toThrow(
      refused("timeoutMS", "did you mean timeoutMs"),
    )
    await services.close()
  })

  it("of a presence without a connection, and of a server's watchKeys", async () => {
    const server = createServer()
    const presence = { topic: "rooms:1", key: "bot", ttl: 5 }
    expect(() => server.presence.track(untyped(presence))).toThrow(refused("ttl", "did you mean ttlMs"))
    expect(() => server.presence.watchKeys(["ada"], () => {}, untyped({ graceMS: 5 }))).toThrow(
      refused("graceMS", "did you mean graceMs"),
    )
    await server.close()
  })
})

describe("a misspelt handler is refused", () => {
  const join = () => ({ ok: {} })

  it.each([
    ["joied", "did you mean joined"],
    ["presense", "did you mean presence"],
    ["alow", "did you mean allow"],
  ])("of a channel: %s", (name, remedy) => {
    const server = createServer()
    expect(() => server.channel("rooms:*", untyped({ join, [name]: () => undefined }))).toThrow(refused(name, remedy))
  })

  it("of a socket, since without connect every client is accepted", () => {
    const server = createServer()
    expect(() => server.socket("/socket", untyped({ conect: () => false }))).toThrow(
      refused("conect", "did you mean connect"),
    )
  })

  it("but not a member of an instance of a class, which its handlers may use", () => {
    class Room {
      count = 0
      join() {
        this.count += 1
        return { ok: { count: this.count } }
      }
    }
    const server = createServer()
    expect(() => server.channel("rooms:*", new Room())).not.toThrow()
  })

  it.each<[string, object, string]>([
    ["presence", { presence: { key: "ada" } }, "expected the handler presence to be a function, got an object"],
    ["joined", { joined: "yes" }, "expected the handler joined to be a function, got a string"],
    ["left", { left: 5 }, "expected the handler left to be a function, got a number"],
    ["on", { on: () => {} }, "expected on to map events to handlers, got a function"],
    ["out", { out: "x" }, "expected out to map events to handlers, got a string"],
  ])("and so is one that is no function: %s", (_what, handlers, message) => {
    expect(() => createServer().channel("rooms:*", untyped({ join, ...handlers }))).toThrow(
      expect.objectContaining({ code: "config", message: linked(message) }),
    )
  })
})

/** Runs something in this process as if it had a primary. */
async function asWorker(run: () => Promise<unknown>): Promise<unknown> {
  const { send } = process
  process.send = (() => true) as never
  try {
    return await run()
  } finally {
    if (send === undefined) delete process.send
    else process.send = send
  }
}
