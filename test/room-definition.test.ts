import { type } from "arktype"
import * as v from "valibot"
import { describe, expect, it, test } from "vitest"
import { z } from "zod"
import { defineRoom } from "../src/room-definition.ts"
import { validate } from "../src/standard-schema.ts"
import type { StandardSchema } from "../src/standard-schema.ts"

describe("defineRoom", () => {
  it("returns topics of its pattern", () => {
    expect(defineRoom("rooms:*").topic("1")).toBe("rooms:1")
    expect(defineRoom("rooms:*").topic(7)).toBe("rooms:7")
    expect(defineRoom("*").topic("rooms:1")).toBe("rooms:1")
    expect(defineRoom("lobby").topic()).toBe("lobby")
  })

  it.each([[undefined], [null], [""], [Number.NaN], [{}]])("refuses an id that would name a wrong room: %j", (id) => {
    expect(() => defineRoom("rooms:*").topic(id as string)).toThrow("expected an id that is a text or a number, got")
  })

  it("refuses an id for a pattern of one topic", () => {
    expect(() => defineRoom("lobby").topic("1")).toThrow("expected no id for the topic lobby, got a string")
  })

  it.each([["a*b"], ["*a"], ["**"], [7], [undefined]])("refuses the pattern %j", (pattern) => {
    expect(() => defineRoom(pattern as string)).toThrow("expected a topic, or a prefix and")
  })

  it("refuses at once what is no Standard Schema", () => {
    const meta = { parse: () => ({}) } as unknown as StandardSchema<unknown, object>
    expect(() => defineRoom("a", { meta })).toThrow("expected meta to be a Standard Schema")
    expect(() => defineRoom("a", { events: { cursor: meta } })).toThrow("expected the event cursor to be a Standard")
    expect(() => defineRoom("a", { events: [] as unknown as Record<string, StandardSchema> })).toThrow(
      "expected events to be an object of schemas, got an array of 0",
    )
  })

  it("cannot be changed later", () => {
    const events: Record<string, StandardSchema> = { cursor: z.object({}) }
    const room = defineRoom("a", { events })
    events["other"] = z.object({})
    expect(Object.keys(room.events)).toEqual(["cursor"])
    expect([Object.isFrozen(room), Object.isFrozen(room.events)]).toEqual([true, true])
  })
})

describe.each<[string, StandardSchema]>([
  ["zod", z.object({ at: z.object({ x: z.number() }), status: z.string().default("here") })],
  ["valibot", v.object({ at: v.object({ x: v.number() }), status: v.optional(v.string(), "here") })],
  ["arktype", type({ at: { x: "number" }, status: "string = 'here'" })],
])("a schema of %s", (_library, schema) => {
  it("returns the value with its defaults", () => {
    expect(validate(schema, { at: { x: 1 } })).toEqual({ value: { at: { x: 1 }, status: "here" } })
  })

  it("refuses a value with a message and the path to the field", () => {
    expect(validate(schema, { at: { x: "left" } })).toEqual({ refused: { field: "at.x", message: expect.any(String) } })
  })

  it("refuses what is no object", () => {
    expect(validate(schema, 7)).toEqual({ refused: { message: expect.any(String) } })
  })
})

const schemaOf = (validate: (value: unknown) => unknown): StandardSchema =>
  ({ "~standard": { version: 1, vendor: "mine", validate } }) as StandardSchema

test("the texts of a refusal are short, however much of the value the schema quotes", () => {
  const long = "x".repeat(10_000)
  const { refused } = validate(
    schemaOf(() => ({ issues: [{ message: long, path: [{ key: long }, Symbol("s"), 0] }] })),
    {},
  )
  expect([refused?.message.length, refused?.field?.length]).toEqual([200, 200])
})

test("a refusal without any issue is a refusal", () => {
  expect(
    validate(
      schemaOf(() => ({ issues: [] })),
      {},
    ),
  ).toEqual({ refused: { message: "the value is invalid" } })
})

test("a path may have objects, symbols and indices", () => {
  const path = ["list", 0, { key: "name" }, Symbol("s")]
  expect(
    validate(
      schemaOf(() => ({ issues: [{ message: "no", path }] })),
      {},
    ).refused?.field,
  ).toBe("list.0.name.Symbol(s)")
})

test("a schema that validates asynchronously is a ConfigError", () => {
  const schema = z.object({}).refine(async () => true)
  expect(() => validate(schema, {})).toThrow("expected a schema that validates synchronously, got one that returned")
})
