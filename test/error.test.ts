import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { ConfigError, RollcallError, withoutLink } from "../src/error.ts"
import { JoinRejected, paramsError } from "../src/client/errors.ts"
import { metaRefusal, readMe } from "../src/server/channel/client-meta.ts"

const ofTheClient = [
  new RollcallError("no_state", "expected a state within 10000 ms, got none"),
  new ConfigError("expected a number, got a text"),
  new JoinRejected("rooms:1", { reason: "members only" }),
]

test.each(ofTheClient)("the message of $name ends with a link to its code", (error) => {
  expect(error.message.endsWith(` (see rollcall/docs/troubleshooting.md#${error.code})`)).toBe(true)
  expect(withoutLink(error.message)).not.toContain("see ")
})

test("the page of the link is a file of the published package", async () => {
  const { name, files } = JSON.parse(await readFile("package.json", "utf8")) as { name: string; files: string[] }
  const [, page = ""] = /\(see (.+)#config\)$/.exec(new ConfigError("").message) ?? []
  expect(page.startsWith(`${name}/`)).toBe(true)
  const path = page.slice(name.length + 1)
  expect(await readFile(path, "utf8")).toContain("### config\n")
  expect(files).toContain(path.split("/")[0])
  expect(files.filter((pattern) => pattern.startsWith("!") && pattern.includes("troubleshooting"))).toEqual([])
})

test("a message that quotes other errors has one link, that of its own code", () => {
  const inner = new ConfigError("expected a token, got none")
  const outer = paramsError("rooms:1", paramsError("the connection", inner))
  expect(outer.message.match(/troubleshooting/g)).toHaveLength(1)
  expect(outer.message).toMatch(/expected a token, got none \(see \S+#params_failed\)$/)
})

test("a text that only looks like a link stays, and a long one takes no time to look through", () => {
  for (const text of ["(see below)", "see rollcall/docs/troubleshooting.md", "(see rollcall/docs/troubleshooting.md)"])
    expect(withoutLink(text)).toBe(text)
  const hostile = " (see rollcall/docs/troubleshooting.md#".repeat(50_000)
  expect(withoutLink(hostile)).toBe(hostile)
})

test("a refusal that a client gets has no path in it", () => {
  const nested = (depth: number): object => (depth === 0 ? {} : { deeper: nested(depth - 1) })
  let refusal: object | undefined
  try {
    readMe({ me: nested(200) }, { metaSchema: anything }, 1_000_000, () => undefined)
  } catch (error) {
    refusal = metaRefusal(error as RollcallError)
  }
  expect(refusal).toMatchObject({ reason: "invalid_meta", message: expect.stringMatching(/^expected .+ deeper one$/) })
})

/** A schema that accepts every object. */
const anything = {
  "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value: value as object }) },
} as const
