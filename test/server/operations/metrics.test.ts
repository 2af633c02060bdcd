import { readdirSync, readFileSync } from "node:fs"
import { expect, expectTypeOf, test } from "vitest"
import type { DropReason } from "../../../src/pubsub/pubsub.ts"
import { DROPS, SIZES, TRAFFIC } from "../../../src/server/operations/metrics.ts"
import type { Refusal } from "../../../src/tracker/tracker-messages.ts"

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"))
const source = files.map((name) => readFileSync(`src/${name}`, "utf8")).join("\n")

/** What stands in the parentheses of each call. */
function* argumentsOf(call: RegExp): Iterable<string> {
  for (const { index, 0: found } of source.matchAll(call)) {
    const start = index + found.length
    let end = start
    for (let depth = 1; depth > 0; end += 1) depth += { "(": 1, ")": -1 }[source[end] as string] ?? 0
    yield source.slice(start, end - 1)
  }
}

/** The names that are counted, and the beginnings of those that are put together. */
const names = new Set<string>()
const beginnings = new Set<string>()
for (const text of argumentsOf(/\bcount(?:\?\.)?\(/g)) {
  const beginning = /^`(\w+)\$\{/.exec(text)?.[1]
  if (beginning !== undefined) beginnings.add(beginning)
  else for (const [, name] of text.replace(/=== "\w+"/g, "").matchAll(/"([a-z_]+)"/g)) names.add(name as string)
}

const listed = Object.keys({ ...TRAFFIC, ...DROPS })

test("whatever is counted is listed, with a sentence of what it means", () => {
  expect(names.size).toBeGreaterThan(30)
  expect([...names].filter((name) => !listed.includes(name))).toEqual([])
  for (const sentence of Object.values({ ...TRAFFIC, ...DROPS, ...SIZES })) expect(sentence).toMatch(/^[A-Z].+\.$/)
})

test("whatever is listed is counted somewhere", () => {
  const isCounted = (name: string): boolean =>
    names.has(name) || [...beginnings].some((beginning) => name.startsWith(beginning))
  expect(listed.filter((name) => !isCounted(name))).toEqual([])
  const sizes = [...argumentsOf(/\bobserve\(/g)].map((text) => /^"(\w+)"/.exec(text)?.[1])
  expect(sizes.filter((name) => name !== undefined)).toEqual(Object.keys(SIZES))
})

test("names that are put together are listed for every reason there is", () => {
  expect([...beginnings].sort()).toEqual(["bus_", "tracker_refused_"])
  expectTypeOf<`bus_${DropReason}` | `tracker_refused_${Refusal}`>().toExtend<keyof typeof DROPS>()
})
