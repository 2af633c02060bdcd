import { expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { SocketHandlers } from "../../../src/server/index.ts"
import { serve } from "../../support/serve.ts"
import { linked } from "../../support/linked.ts"

const EVIL = { origin: "http://evil.example" }

it.each<[string, unknown, string]>([
  ["connect in the place of the handlers", () => false, "expected the handlers of a socket"],
  ["null", null, "expected the handlers of a socket"],
  ["a list", [], "expected the handlers of a socket"],
  [
    "a connect that is no function",
    { connect: "secret" },
    "expected the handler connect to be a function, got a string",
  ],
  ["an id that is no function", { id: "ada" }, "expected the handler id to be a function, got a string"],
  ["transports that are no list", { transports: "websocket" }, 'expected transports to be a list of "websocket"'],
  ["a transport that does not exist", { transports: ["websockets"] }, 'got "websockets"'],
  ["a list of transports with a hole", { transports: [undefined] }, "got nothing"],
  ["hosts that are no list", { hosts: "a.com" }, "expected hosts to be a list"],
  ["an unknown dialect", { dialect: "\u001b[31m" }, 'expected the dialect "supabase" or none, got "\\u001b[31m"'],
])("server.socket throws a ConfigError for %s", (_what, handlers, message) => {
  const server = createServer()
  expect(() => server.socket("/socket", handlers as SocketHandlers)).toThrowError(
    expect.objectContaining({ code: "config", message: expect.stringContaining(message) as string }),
  )
})

it("handlers and options that are null count as not given", async () => {
  const handlers = { connect: null, id: null, transports: null, origins: null } as unknown as SocketHandlers
  const { client, url } = await serve((server) => server.socket("/socket", handlers))
  expect((await client("", { origin: url.replace("ws", "http") })).beginning).toEqual({ event: "open" })
  expect((await client("", EVIL)).beginning).toMatchObject({ event: "http-refused", status: 403 })
})

it.each<[string, () => unknown]>([
  ["resolves to false", async () => false],
  ["resolves to true", async () => true],
  ["rejects", async () => Promise.reject(new Error("no database"))],
])("origins that returns a promise refuses pages, also one that %s, and the log says why", async (_how, origins) => {
  const { client, logged } = await serve((server) => server.socket("/socket", { origins: origins as () => boolean }))
  expect((await client("", EVIL)).beginning).toMatchObject({ event: "http-refused", status: 403 })
  expect(JSON.stringify(logged, (_key, value: unknown) => (value instanceof Error ? value.message : value))).toContain(
    "expected origins to return true or false, got a promise",
  )
})

it("a connect that returns nothing is logged as that, and not as a refusal", async () => {
  const connect = (() => undefined) as unknown as () => false
  const { client, logged } = await serve((server) => server.socket("/socket", { connect }))
  expect((await client()).beginning).toMatchObject({ status: 403 })
  const message = linked("expected connect to accept the client, got nothing", "refused")
  const error = expect.objectContaining({ message }) as Error
  expect(logged).toMatchObject([{ details: { error } }])
})
