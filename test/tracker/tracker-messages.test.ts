import fc from "fast-check"
import { expect, test } from "vitest"
import type { Part } from "../../src/crdt/replica-dots.ts"
import { Orswot } from "../../src/crdt/orswot.ts"
import { decodeMessage, encodeMessage, type Message } from "../../src/tracker/tracker-messages.ts"
import type { TrackedMeta } from "../../src/tracker/topic-diff.ts"
import { clusterPid, nodeOf } from "../../src/tracker/replica-ref.ts"

const node = fc.constantFrom("n1", "n 2", "узел", "__proto__", '"')
const ref = fc.tuple(node, fc.constantFrom("AAAAAAAAAA", "BBBBBBBBBB")).map(([name, version]) => name + version)
const clock = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(Number.MAX_SAFE_INTEGER))
const clocks = fc.array(fc.tuple(ref, clock), { maxLength: 4 }).map((pairs) => new Map(pairs))
const text = fc.oneof(fc.constantFrom("", "__proto__", "a@b", "constructor"), fc.string({ unit: "grapheme" }))
const meta = fc
  .tuple(fc.dictionary(text, fc.jsonValue({ maxDepth: 2 })), text, fc.option(text, { nil: undefined }))
  .map(([fields, phxRef, previous]) =>
    Object.assign(fields, { phx_ref: phxRef }, previous === undefined ? {} : { phx_ref_prev: previous }),
  )
const row = fc.record({ topic: text, pid: text, key: text, meta, clock: fc.integer({ min: 1, max: 20 }) })
const seen = fc.constantFrom<readonly number[]>([], [1, 20], [1, 3, 5, 5, 9, Number.MAX_SAFE_INTEGER])
const parts = fc
  .uniqueArray(fc.tuple(ref, seen, fc.array(row, { maxLength: 3 })), { selector: ([of]) => of, maxLength: 3 })
  .map(
    (list) =>
      new Map<string, Part<TrackedMeta>>(
        list.map(([of, ranges, rows]) => [
          of,
          {
            seen: ranges,
            rows: rows.map(({ topic, pid, key, meta, clock }) => {
              return { topic, pid: clusterPid(pid, nodeOf(of)), key, meta, ref: of, clock }
            }),
          },
        ]),
      ),
  )
const delta = fc.record({ mode: fc.constant("delta" as const), parts, start: clocks, end: clocks })
/** Generates a sender's own delta: it contains all dots that it claims, and claims none of other replicas. */
const ownDelta = fc.tuple(ref, parts, fc.nat(20), fc.nat(20)).map(([sender, others, start, ticks]) => {
  const end = start + ticks
  const seen = ticks === 0 ? [] : [start + 1, end]
  const rows = others.get(sender)?.rows ?? []
  const [from, to] = [new Map([[sender, start]]), new Map([[sender, end]])]
  return { mode: "delta" as const, parts: new Map(others).set(sender, { seen, rows }), start: from, end: to }
})
const full = fc.record({ mode: fc.constant("full" as const), parts })
const shards = fc.integer({ min: 1, max: 64 })
const message: fc.Arbitrary<Message> = fc.oneof(
  fc
    .record({
      type: fc.constant("heartbeat" as const),
      ref,
      shards,
      clocks,
      delta: fc.option(ownDelta, { nil: undefined }),
      previousVersion: fc.constantFrom(undefined, "CCCCCCCCCC"),
      requests: fc.constantFrom("nothing" as const, "heartbeat" as const, "clocks" as const),
      digest: fc.option(fc.record({ sum: fc.maxSafeNat(), hash: fc.nat(2 ** 31 - 1) }), { nil: undefined }),
    })
    .map(({ type, ref: any, shards, clocks, delta, previousVersion, requests, digest }) => {
      const [sender = any] = delta?.start.keys() ?? []
      const previousRef = previousVersion && nodeOf(sender) + previousVersion
      return { type, ref: sender, shards, clocks, digest, delta, previousRef, requests }
    }),
  fc.record({ type: fc.constant("transferRequest" as const), ref, shards, clocks, acceptsPacked: fc.boolean() }),
  fc.record({
    type: fc.constant("transferResponse" as const),
    ref,
    shards,
    payload: fc.oneof(delta, full),
    isPacked: fc.boolean(),
    hasMore: fc.boolean(),
    index: fc.nat({ max: 9 }),
  }),
  fc.record({ type: fc.constant("goodbye" as const), ref, shards }),
  fc.record({
    type: fc.constant("staleRefNotice" as const),
    ref,
    shards,
    staleRef: ref,
    currentRef: fc.option(ref, { nil: undefined }),
  }),
)

test("every message is the same after encoding and decoding", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const received = sent.type === "transferResponse" ? { ...sent, isPacked: false } : sent
      expect(plain(decodeMessage(encodeMessage(sent)))).toBe(plain(received))
    }),
    { numRuns: 500 },
  )
})

/** Returns a value as JSON, with each Map as its entries. Metas are JSON, so that their fields are all included. */
function plain(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (inner instanceof Map ? [...inner] : inner))
}

test("bytes that are not a message are refused, never with an exception", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(bytesOf)), (bytes) => {
      expect(typeof decodeMessage(bytes)).toBe("string")
    }),
    { numRuns: 500 },
  )
})

test("a message with any part replaced by another value is either refused, or valid as a whole", () => {
  const strange = fc.oneof(
    fc.constantFrom<unknown>(-1, 1.5, 2 ** 53, 1e300, "length", "__proto__", null, [], {}, true),
    fc.jsonValue({ maxDepth: 1 }),
  )
  const count = { refused: 0, accepted: 0, rows: 0 }
  fc.assert(
    fc.property(message, fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), strange, (sent, path, value) => {
      const json: unknown = JSON.parse(new TextDecoder().decode(encodeMessage(sent)))
      const read = decodeMessage(bytesOf(JSON.stringify(replaced(json, path, value))))
      if (typeof read === "string") return void (count.refused += 1)
      count.accepted += 1
      const set = new Orswot<TrackedMeta>("meAAAAAAAAAA")
      const payload =
        read.type === "transferResponse" ? read.payload : read.type === "heartbeat" ? read.delta : undefined
      if (payload !== undefined) {
        for (const ref of payload.parts.keys()) set.replicaUp(ref)
        set.merge(payload)
      }
      for (const shown of set.online()) expect(typeof shown.meta["phx_ref"]).toBe("string")
      count.rows += set.size
      expect(typeof decodeMessage(encodeMessage(read))).toBe("object")
    }),
    { numRuns: 2000 },
  )
  // Checks that messages with rows were accepted, because otherwise nothing would have been tested. How many depends on the
  // random seed: of 2,000 messages some 40 are accepted, with 16 to 60 rows.
  for (const occurrences of Object.values(count)) expect(occurrences).toBeGreaterThan(0)
})

function replaced(json: unknown, [at, ...path]: readonly number[], value: unknown): unknown {
  if (at === undefined || typeof json !== "object" || json === null) return value
  const keys = Object.keys(json)
  if (keys.length === 0) return value
  const key = keys[at % keys.length] as string
  const copy = (Array.isArray(json) ? [...json] : { ...json }) as Record<string, unknown>
  copy[key] = replaced(copy[key], path, value)
  return copy
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

test("a message with more bytes than the limit is refused", () => {
  const bytes = encodeMessage({ type: "goodbye", ref: "n1AAAAAAAAAA", shards: 1 })
  expect(decodeMessage(bytes, bytes.length)).toMatchObject({ type: "goodbye" })
  expect(decodeMessage(bytes, bytes.length - 1)).toBe("oversize")
})

test.for<[claim: string, refs: string[], rest: unknown[]]>([
  ["a previous ref of another node", ["n1AAAAAAAAAA", "n2AAAAAAAAAA"], [[], 0, 1]],
  [
    "a delta that is complete for another replica",
    ["n1AAAAAAAAAA", "n2AAAAAAAAAA"],
    [[], [[[1, [1, 5], []]], [1, 0], [1, 5]]],
  ],
  ["a delta that claims more dots than it contains", ["n1AAAAAAAAAA"], [[], [[[0, [1, 5], []]], [0, 0], [0, 6]]]],
  ["a delta that claims dots and contains none", ["n1AAAAAAAAAA"], [[], [[], [0, 0], [0, 6]]]],
])("a heartbeat with %s is refused", ([, refs, rest]) => {
  expect(decodeMessage(bytesOf(JSON.stringify(["rollcall", 1, "heartbeat", 1, refs, ...rest])))).toBe("malformed")
})

test("the node in the pid of a received row is the node of its ref", () => {
  const set = new Orswot<TrackedMeta>("n1AAAAAAAAAA")
  set.join("7@n1", "room", "ada", { phx_ref: "r" })
  const delta = set.takeDelta()
  const read = decodeMessage(
    encodeMessage({
      type: "heartbeat",
      ref: set.ref,
      shards: 1,
      clocks: new Map(),
      delta,
      digest: undefined,
      previousRef: undefined,
      requests: "nothing",
    }),
  )
  expect(read).toMatchObject({ delta: { parts: new Map([[set.ref, { rows: [{ pid: "7@n1" }] }]]) } })
})

test("the encoded form of each message type stays as it is, since nodes of two releases exchange messages", () => {
  const [ref, previousRef, other] = ["n1AAAAAAAAAA", "n1BBBBBBBBBB", "n2AAAAAAAAAA"]
  const sender = { ref, shards: 2 }
  const set = new Orswot<TrackedMeta>(ref)
  set.join("7@n1", "room", "ada", { phx_ref: "r" })
  const delta = set.takeDelta()!
  const clocks = new Map([
    [ref, 1],
    [other, 5],
  ])
  const part = [0, [1, 1], [[1, "room", "7", "ada", { phx_ref: "r" }]]]
  const encoded: [message: Message, json: unknown[]][] = [
    [
      {
        type: "heartbeat",
        ...sender,
        clocks,
        digest: undefined,
        delta: undefined,
        previousRef: undefined,
        requests: "nothing",
      },
      ["heartbeat", 2, [ref, other], [0, 1, 1, 5], 0],
    ],
    [
      { type: "heartbeat", ...sender, clocks, digest: undefined, delta, previousRef, requests: "heartbeat" },
      ["heartbeat", 2, [ref, other, previousRef], [0, 1, 1, 5], [[part], [0, 0], [0, 1]], 2, 1],
    ],
    [
      {
        type: "heartbeat",
        ...sender,
        clocks,
        digest: { sum: 6, hash: 77 },
        delta: undefined,
        previousRef: undefined,
        requests: "clocks",
      },
      ["heartbeat", 2, [ref, other], [0, 1, 1, 5], 0, -1, 2, 6, 77],
    ],
    [{ type: "transferRequest", ...sender, clocks, acceptsPacked: false }, ["request", 2, [ref, other], [0, 1, 1, 5]]],
    [
      { type: "transferRequest", ...sender, clocks, acceptsPacked: true },
      ["request", 2, [ref, other], [0, 1, 1, 5], 3],
    ],
    [
      {
        type: "transferResponse",
        ...sender,
        payload: { mode: "full", parts: delta.parts },
        isPacked: false,
        hasMore: true,
        index: 0,
      },
      ["answer", 2, [ref], [[part]], 1, 0],
    ],
    [
      {
        type: "transferResponse",
        ...sender,
        payload: { mode: "full", parts: delta.parts },
        isPacked: false,
        hasMore: false,
        index: 3,
      },
      ["answer", 2, [ref], [[part]], 0, 3],
    ],
    [
      {
        type: "transferResponse",
        ...sender,
        payload: { mode: "full", parts: delta.parts },
        isPacked: false,
        hasMore: false,
        index: 0,
      },
      ["answer", 2, [ref], [[part]]],
    ],
    [{ type: "goodbye", ...sender }, ["goodbye", 2, [ref]]],
    [{ type: "staleRefNotice", ...sender, staleRef: other, currentRef: undefined }, ["burial", 2, [ref, other], 1, -1]],
  ]
  for (const [message, json] of encoded) {
    expect(JSON.parse(new TextDecoder().decode(encodeMessage(message)))).toEqual(["rollcall", 1, ...json])
  }
})
