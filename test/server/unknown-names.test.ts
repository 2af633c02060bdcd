import { describe, expect, it } from "vitest"
import { UnknownNames } from "../../src/server/unknown-names.ts"
import { clock } from "../support/clock.ts"
import { serve } from "../support/serve.ts"
import { WireSocket } from "../support/wire-socket.ts"

describe("an upgrade request for a path that no socket serves", () => {
  it("is logged once for each path, with the paths that are served, and counted each time", async () => {
    const { url, logged, counted, reached } = await serve((server) => server.socket("/socket"))
    for (const path of ["/sockets/websocket?token=secret", "/sockets/websocket", "/ws", "/sockets/websocket"]) {
      await new WireSocket(`${url}${path}`).inbox.next()
    }
    await reached("unknown_paths", 4)
    expect(counted.get("unknown_paths")).toBe(4)
    const message = "a client asked for a path that no socket serves"
    const served = ["/socket"]
    expect(logged).toEqual([
      { message, details: { path: "/sockets/websocket", served } },
      { message, details: { path: "/ws", served } },
    ])
  })

  it("is not logged for a path that a socket serves", async () => {
    const { client, logged, counted } = await serve((server) => server.socket("/socket"))
    await client()
    expect([logged, counted.get("unknown_paths")]).toEqual([[], undefined])
  })
})

it("a long poll of a path that no socket serves is logged, too; other requests are not", async () => {
  const { url, logged } = await serve((server) => server.socket("/socket"))
  const http = url.replace("ws", "http")
  for (const path of ["/sockets/longpoll", "/favicon.ico", "/socket/longpoll", "/sockets/longpoll?vsn=2.0.0"]) {
    await (await fetch(http + path)).text()
  }
  expect(logged.map(({ details }) => details)).toEqual([{ path: "/sockets/longpoll", served: ["/socket"] }])
})

describe("a join of a topic that no channel serves", () => {
  it("is logged once for each topic, with the patterns that are served", async () => {
    const { client, logged } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", { join: () => ({ ok: {} }) })
      server.channel("lobby", { join: () => ({ ok: {} }) })
    })
    const ada = await client()
    for (const topic of ["room:1", "room:1", "rooms:1", "lobby", "lobbies\n"]) await ada.join(topic)
    const message = "a client joined a topic that no channel serves"
    const served = ["rooms:*", "lobby"]
    expect(logged).toEqual([
      { message, details: { topic: "room:1", served } },
      { message, details: { topic: "lobbies?", served } },
    ])
  })

  it("is logged, and a message to a topic that is not joined is not", async () => {
    const { client, logged } = await serve((server) => server.socket("/socket"))
    const ada = await client()
    await ada.ask("rooms:1", "echo")
    expect(logged).toEqual([])
  })
})

describe("a field of me that allow does not name", () => {
  it("is logged once, because the client joins without it and gets no error", async () => {
    const { client, logged } = await serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", {
        join: () => ({ ok: {} }),
        allow: ["name"],
        presence: (_channel, me) => ({ key: "ada", meta: me }),
      })
      server.channel("any:*", { join: () => ({ ok: {} }), presence: (_channel, me) => ({ key: "ada", meta: me }) })
    })
    const ada = await client()
    await ada.join("any:1", { me: { name: "Ada", size: 7 } })
    for (const topic of ["rooms:1", "rooms:2"]) await ada.join(topic, { me: { name: "Ada", mood: "good", age: 36 } })
    const message = "a field of me is left out, because allow does not name it"
    expect(logged).toEqual([
      { message, details: { field: "mood" } },
      { message, details: { field: "age" } },
    ])
  })
})

describe("the log of unknown names", () => {
  it("is limited to ten paths a minute, and says how many it left out", () => {
    const timers = clock()
    const logged: [string, number][] = []
    const paths = new UnknownNames(timers, (path, unlogged) => logged.push([path, unlogged]))
    for (let n = 0; n < 1_000; n += 1) paths.add(`/path-${n}`)
    expect(logged).toHaveLength(10)
    timers.advance(60_000)
    paths.add("/path-0")
    paths.add("/late")
    paths.add("/later")
    expect(logged.slice(10)).toEqual([
      ["/late", 990],
      ["/later", 0],
    ])
  })

  it("shows no control characters of a path, and at most 100 characters", () => {
    const logged: string[] = []
    const paths = new UnknownNames(clock(), (path) => logged.push(path))
    paths.add("/a\n\u001B[31mred\u0000")
    paths.add(`/${"x".repeat(5_000)}`)
    expect(logged).toEqual(["/a??[31mred?", `/${"x".repeat(99)}`])
  })
})
