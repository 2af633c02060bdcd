import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { serve } from "../../support/serve.ts"
import type { Served } from "../../support/serve.ts"

/** What an attacker would write: a line of its own, commands to the terminal, and text that is shown in another order. */
const EVIL = "\n2026-01-01 root logged in\r\u001b[2J\u009b31m\u2028\u202e"
/** The same as far as a header can carry it: without control characters, in Latin-1. */
const EVIL_HEADER = "https://x\u009b31m\u0085.example/"

async function serveRooms() {
  const served = await serve((server) => {
    server.socket("/socket")
    server.channel("*", {
      join: (_topic, params, channel) => {
        if (params["push"] === true) channel.push("too early")
        return { ok: {} }
      },
      joined: (channel) => void server.presence.track(channel, `key${EVIL}`),
      on: { again: (_payload, channel) => void server.presence.track(channel, `key${EVIL}`) },
    })
  })
  return served
}

/** Returns the log as `console` would print it, without the stacks, whose lines are this program's own. */
function printed({ logged }: Pick<Served<object>, "logged">): string[] {
  return logged.map(({ message, details }) => {
    const { error, ...rest } = details as { error: Error }
    const { name, message: text, cause, ...fields } = Object.assign(error, {})
    return [message, name, text, inspect(rest, { breakLength: Infinity }), inspect({ cause, ...fields })].join(" ")
  })
}

function expectClean(served: Pick<Served<object>, "logged">): void {
  expect(served.logged.length).toBeGreaterThan(0)
  for (const line of printed(served)) expect(line).not.toMatch(/\p{Cc}/u)
  for (const { message, details } of served.logged) {
    const { message: text } = (details as { error: Error }).error
    expect(`${message} ${text}`).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
  }
}

describe("text of a client never enters a log message as it is", () => {
  it.each(["websocket", "longpoll"])("a version, over %s", async (transport) => {
    const served = await serveRooms()
    await (
      await fetch(`${served.url.replace("ws", "http")}/socket/${transport}?vsn=9${encodeURIComponent(EVIL)}`)
    ).text()
    expectClean(served)
    expect(printed(served)[0]).toContain(String.raw`got "9\n2026-01-01 root logged in\r\u001b[2J\u009b31m\u2028\u202e"`)
  })

  it("an origin", async () => {
    const served = await serveRooms()
    await served.client("", { Origin: EVIL_HEADER })
    expectClean(served)
  })

  it("a topic that is not joined yet, a topic whose handler is missing, an event", async () => {
    const served = await serveRooms()
    const client = await served.client()
    for (const params of [{ push: true }, {}])
      client.socket.send(JSON.stringify(["1", "1", `t${EVIL}`, "phx_join", params]))
    client.socket.send(JSON.stringify(["1", "2", `t${EVIL}`, `e${EVIL}`, {}]))
    await client.rest()
    expectClean(served)
    expect(served.logged).toHaveLength(2)
  })

  it("a presence key", async () => {
    const served = await serveRooms()
    const client = await served.client()
    await client.join(`t${EVIL}`)
    client.push(`t${EVIL}`, "again")
    await client.rest()
    expectClean(served)
    expect(served.logged).toMatchObject([{ details: { error: { code: "already_tracked" } } }])
  })

  it("a frame that cannot be read", async () => {
    const served = await serveRooms()
    const [first, second] = [await served.client(), await served.client("vsn=1.0.0")]
    first.socket.send(`["${EVIL}`)
    second.socket.send(`{"topic":"${EVIL}`)
    await served.reached("bad_frames", 2)
    expectClean(served)
  })
})
