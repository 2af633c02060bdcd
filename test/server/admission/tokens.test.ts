import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest"
import { tokens } from "../../../src/server/index.ts"
import type { TokensOptions } from "../../../src/server/index.ts"
import { disconnectAll, officialSocket, reply } from "../../support/phoenix-client.ts"
import { ok, serve } from "../../support/serve.ts"

const secret = "a secret that is long enough: 32+"
const refused = { event: "http-refused", status: 403, body: "" }

afterEach(disconnectAll)

/** A server that accepts clients with a valid token, and the wall clock of the tokens. */
async function serveWithTokens(options: Partial<TokensOptions> = {}) {
  const time = { now: Date.UTC(2026, 0, 1) }
  const { sign, verify } = await tokens({ secret, now: () => time.now, ...options })
  const served = await serve<{ name: unknown }>((server) => {
    server.socket("/socket", {
      connect: async ({ authToken, params }) => ({ name: (await verify(authToken ?? params["token"])).sub }),
    })
    server.channel("me", { join: (_topic, _params, channel) => ({ ok: channel.assigns }) })
  })
  return { ...served, time, sign, verify }
}

describe("a signed token", () => {
  it("sent as a parameter is accepted, and names the user", async () => {
    const { client, sign } = await serveWithTokens()
    const ada = await client(`token=${await sign({ sub: "ada" })}`)
    expect(await ada.join("me")).toEqual(ok({ name: "ada" }))
  })

  it("sent as the official client's authToken is accepted, and names the user (P4)", async () => {
    const { url, sign } = await serveWithTokens()
    const socket = officialSocket(url, {}, { authToken: await sign({ sub: "ada" }) })
    expect(await reply(socket.channel("me").join())).toEqual({ status: "ok", response: { name: "ada" } })
  })

  it("carries the signed claims, and the times of issue and expiry", async () => {
    const { sign, verify, time } = await serveWithTokens({ maxAgeS: 60 })
    const iat = time.now / 1_000
    expect(await verify(await sign({ sub: "ada", roles: ["admin"] }))).toEqual({
      sub: "ada",
      roles: ["admin"],
      iat,
      exp: iat + 60,
    })
  })

  it("is accepted until it expires, and then refused with 403", async () => {
    const { client, sign, time, logged } = await serveWithTokens({ maxAgeS: 60 })
    const token = await sign({ sub: "ada" })
    time.now += 59_000
    expect((await client(`token=${token}`)).beginning).toEqual({ event: "open" })
    time.now += 1_000
    expect((await client(`token=${token}`)).beginning).toEqual(refused)
    expect(logged.at(-1)?.details).toMatchObject({ error: { code: "token_expired" } })
  })

  it("from the future is refused, except within clockSkewS: the clock of the signing machine may be ahead", async () => {
    const { sign, verify, time } = await serveWithTokens({ clockSkewS: 10, maxAgeS: 60 })
    const token = await sign({ sub: "ada" })
    time.now -= 10_000
    expect(await verify(token)).toMatchObject({ sub: "ada" })
    time.now -= 1_000
    await expect(verify(token)).rejects.toMatchObject({
      code: "token_invalid",
      message: expect.stringContaining("11 s in the future"),
    })
  })

  it("from the future is refused beyond 30 s by default", async () => {
    const { sign, verify, time } = await serveWithTokens()
    const token = await sign({ sub: "ada" })
    time.now -= 30_000
    expect(await verify(token)).toMatchObject({ sub: "ada" })
    time.now -= 1_000
    await expect(verify(token)).rejects.toMatchObject({ code: "token_invalid" })
  })

  it.each([
    ["no token", "token_missing", ""],
    ["an empty token", "token_missing", "token="],
    ["a text that is no token", "token_invalid", "token=nonsense"],
    [
      "a token that claims to need no signature",
      "token_invalid",
      `token=${unsigned({ sub: "ada", iat: 0, exp: 1e10 })}`,
    ],
  ])("is required: %s is refused with 403 and %s", async (_what, code, query) => {
    const { client, logged } = await serveWithTokens()
    expect((await client(query)).beginning).toEqual(refused)
    expect(logged).toMatchObject([{ details: { error: { code } } }])
  })

  it("signed with another secret, or with changed claims, is invalid", async () => {
    const { sign, verify } = await serveWithTokens()
    const other = await tokens({ secret: `${secret}!` })
    await expect(verify(await other.sign({ sub: "ada" }))).rejects.toMatchObject({ code: "token_invalid" })
    const [head, , signature] = (await sign({ sub: "ada" })).split(".")
    const forged = `${head}.${Buffer.from('{"sub":"root","iat":0,"exp":9999999999}').toString("base64url")}.${signature}`
    await expect(verify(forged)).rejects.toMatchObject({ code: "token_invalid" })
  })

  it("that has expired is replaced when the official client reconnects and calls its params function", async () => {
    const { url, sign, time } = await serveWithTokens({ maxAgeS: 60 })
    let token = await sign({ sub: "ada" })
    const socket = officialSocket(url, () => ({ token }))
    const channel = socket.channel("me")
    await reply(channel.join())
    time.now += 60_000
    const refusal = new Promise((resolve) => socket.onError(resolve))
    socket.conn.close()
    await refusal
    token = await sign({ sub: "ada" })
    await new Promise((resolve) => socket.onOpen(resolve))
    await expect.poll(() => channel.state).toBe("joined")
  })
})

describe("tokens()", () => {
  it.each([
    ["a secret that is too short", { secret: "short" }, "at least 32 bytes, got 5"],
    ["a maxAgeS of 0", { secret, maxAgeS: 0 }, "maxAgeS"],
    ["a maxAgeS that is text", { secret, maxAgeS: "60" }, "maxAgeS"],
    ["a maxAgeS of Infinity", { secret, maxAgeS: Infinity }, "maxAgeS"],
    ["a negative clockSkewS", { secret, clockSkewS: -1 }, "clockSkewS"],
    ["a secret that is missing", { secret: undefined }, "got nothing"],
    ["a secret that is null", { secret: null }, "got null"],
    ["a secret that is a number", { secret: 5 }, "got a number"],
    ["a secret that is an object", { secret: { length: 32 } }, "got an object"],
    ["a secret that is a list of numbers", { secret: Array.from({ length: 32 }, () => 1) }, "got an array"],
    ["empty options", {}, "got nothing"],
    ["no options", undefined, "got nothing"],
  ])("refuses %s", async (_what, options, message) => {
    await expect(tokens(options as TokensOptions)).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining(message),
    })
  })

  it("rejects with the package to install when jose is missing", async () => {
    vi.doMock("jose", () => {
      throw new Error("Cannot find package 'jose'")
    })
    onTestFinished(() => vi.doUnmock("jose"))
    await expect(tokens({ secret })).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining("npm install jose"),
    })
  })
})

function unsigned(claims: object): string {
  const [head, body] = [{ alg: "none" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
  return `${head}.${body}.`
}
