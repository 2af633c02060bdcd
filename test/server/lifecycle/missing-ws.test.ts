import { createServer as createHttpServer } from "node:http"
import { expect, test, vi } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import { linked } from "../../support/linked.ts"

vi.mock("ws", () => {
  throw new Error("Cannot find package 'ws'")
})

const MESSAGE = "WebSockets need the package ws, which could not be loaded: npm install ws"

test.for([
  ["listen", () => createServer().listen(0)],
  ["attach", () => createServer().attach(createHttpServer())],
] as const)("%s without the package ws rejects with a ConfigError that says what to install", async ([, serve]) => {
  await expect(serve()).rejects.toMatchObject({ code: "config", message: linked(MESSAGE) })
})
