import fc from "fast-check"
import { afterEach, describe, expect, test } from "vitest"
import { createDelay } from "../../src/inspector/delay.ts"
import { observe, type Observation } from "../../src/inspector/observation.ts"
import { fakeConnection, type FakeConnection } from "../../src/testing/index.ts"
import { Timeline } from "../../src/testing/timeline.ts"

let undo: (() => void)[] = []
afterEach(() => {
  for (const each of undo.splice(0)) each()
})

function start(options?: Parameters<typeof observe>[1]): { fake: FakeConnection; observation: Observation } {
  const fake = fakeConnection()
  const observation = observe(fake.connection, options)
  undo.push(() => {
    observation.stop()
    fake.connection.disconnect()
  })
  return { fake, observation }
}

const viewOf = (view: { users: readonly unknown[]; status: string } | undefined): string =>
  JSON.stringify([view?.status, view?.users])

type Step = readonly [what: "join" | "update" | "leave" | "cut" | "crash", key: string]
const steps = fc.array(
  fc.tuple(
    fc.constantFrom(
      "join" as const,
      "join" as const,
      "update" as const,
      "leave" as const,
      "cut" as const,
      "crash" as const,
    ),
    fc.constantFrom("ada", "bob", "7"),
  ),
  { minLength: 1, maxLength: 20 },
)

/** Plays steps, and writes down what the room shows after each, and at which entry. */
async function play(
  fake: FakeConnection,
  observation: Observation,
  all: readonly Step[],
): Promise<(readonly [entry: number, view: string])[]> {
  const topic = fake.topic("rooms:1")
  const room = fake.connection.room("rooms:1", { me: { name: "Me" } })
  await room.ready
  const seen: (readonly [number, string])[] = []
  const present = new Set<string>()
  for (const [at, [what, key]] of all.entries()) {
    if (what === "join") topic.join(key, { name: key })
    if (what === "join") present.add(key)
    if (what === "update" && present.has(key)) topic.update(key, { n: at })
    if (what === "leave" && present.delete(key)) topic.leave(key)
    if (what === "cut") {
      fake.cut()
      seen.push([observation.entries.at(-1)!.id, viewOf(room.getSnapshot())])
      fake.restore()
    }
    if (what === "crash") topic.crash()
    await fake.settle()
    seen.push([observation.entries.at(-1)!.id, viewOf(room.getSnapshot())])
  }
  return seen
}

describe("time travel", () => {
  test("shows each view that the page has shown, whatever happened", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const { fake, observation } = start()
        const seen = await play(fake, observation, all)
        for (const [id, view] of seen) expect(viewOf(observation.pastAt(id)?.snapshot("rooms:1"))).toBe(view)
      }),
      { numRuns: 60 },
    )
  })

  test("shows the views of the moments that are kept, also after the oldest entries were dropped, and of no others", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 12 }), async (all, maxEntries) => {
        const { fake, observation } = start({ maxEntries })
        const seen = await play(fake, observation, all)
        expect(observation.entries.length).toBeLessThanOrEqual(maxEntries)
        const oldest = observation.entries[0]!.id
        for (const [id, view] of seen) {
          const past = observation.pastAt(id)
          if (id < oldest) expect(past).toBeUndefined()
          else expect(viewOf(past?.snapshot("rooms:1"))).toBe(view)
        }
      }),
      { numRuns: 60 },
    )
  })

  test("knows the rooms of before it began, without taking a hold of them", async () => {
    const fake = fakeConnection()
    const room = fake.connection.room("rooms:1", { me: { name: "Me" } })
    await room.ready
    fake.topic("rooms:1").join("ada", { name: "Ada" })
    const observation = observe(fake.connection)
    undo.push(() => fake.connection.disconnect())
    expect(observation.topics()).toEqual(["rooms:1"])
    fake.topic("rooms:1").leave("ada")
    const left = observation.entries.find(({ kind }) => kind === "change")!
    fake.topic("rooms:1").join("bob", {})
    const keysAt = (id: number): unknown =>
      observation
        .pastAt(id)
        ?.snapshot("rooms:1")
        ?.users.map(({ key }) => key)
    expect(keysAt(left.id)).toEqual(["me"])
    expect(keysAt(left.id - 2) ?? ["me", "ada"]).toEqual(["me", "ada"])
    expect(keysAt(observation.entries.at(-1)!.id)).toEqual(["me", "bob"])
    observation.stop()
    room.leave()
    expect(room.status).toBe("closed")
    expect(fake.connection.rooms).toEqual([])
  })
})

describe("what is kept", () => {
  test("has at most as many bytes as the limit allows", async () => {
    const { fake, observation } = start({ maxBytes: 3000 })
    const room = fake.connection.room("rooms:1", { me: {} })
    await room.ready
    for (let n = 0; n < 200; n++) fake.topic("rooms:1").send("chat", { text: "x".repeat(n) })
    expect(observation.entries.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(3000)
    expect(observation.entries.at(-1)?.text).toContain("xxx")
  })

  test.for([
    ["maxEntries", 0],
    ["maxBytes", Number.NaN],
  ] as const)("cannot have the limit %s of %s", ([name, limit]) => {
    const fake = fakeConnection()
    undo.push(() => fake.connection.disconnect())
    expect(() => observe(fake.connection, { [name]: limit })).toThrow(
      `expected ${name} to be a number from 1, got ${limit}`,
    )
  })

  test("names each change with its cause, its users and their fields, and marks messages that were dropped", async () => {
    const { fake, observation } = start()
    const room = fake.connection.room("rooms:1", { me: { name: "Me" } })
    await room.ready
    fake.topic("rooms:1").join("ada", { name: "Ada" })
    fake.topic("rooms:1").update("ada", { name: "Ada L." })
    fake.topic("rooms:1").leave("ada")
    observation.faults.drop(true)
    fake.topic("rooms:1").join("bob", {})
    const texts = observation.entries.flatMap(({ kind, name, text }) =>
      kind === "change" || kind === "dropped" ? [`${kind} ${name} ${text}`] : [],
    )
    expect(texts).toEqual([
      "change initial +me",
      "change diff +ada",
      "change diff ~ada (name)",
      "change diff −ada",
      "dropped presence_diff from the server",
    ])
  })
})

test("a user whose fields cannot be redacted is shown without them, and counted", async () => {
  const { fake, observation } = start({
    redact: () => {
      throw new Error("no")
    },
  })
  const room = fake.connection.room("rooms:1", { me: { name: "Me" } })
  await room.ready
  const before = observation.failed
  expect(observation.shown("rooms:1", room.list()[0] as never)).toBeNull()
  expect(observation.failed).toBe(before + 1)
})

test("an observation that ends leaves the connection as it was", async () => {
  const fake = fakeConnection()
  undo.push(() => fake.connection.disconnect())
  const { socket } = fake.connection
  const { encode, decode, transport } = socket
  for (let round = 0; round < 3; round++) {
    const observation = observe(fake.connection)
    observation.faults.cut()
    observation.faults.delay(100)
    observation.stop()
  }
  expect([socket.encode, socket.decode, socket.transport]).toEqual([encode, decode, transport])
  const room = fake.connection.room("rooms:1", { me: {} })
  await room.ready
})

test("a delay keeps the order, also when it becomes shorter, and when a callback throws", () => {
  const timeline = new Timeline()
  const timers = {
    now: () => timeline.now,
    set: (run: () => void, ms: number) => timeline.add(run, timeline.now + ms),
    clear: (timer: unknown) => timer && Object.assign(timer, { run: undefined }),
  }
  const delay = createDelay(timers)
  const seen: string[] = []
  const add = (name: string, ms: number): void => delay.add(() => void seen.push(`${name} ${timeline.now}`), ms)
  add("a", 0)
  add("b", 100)
  delay.add(() => {
    throw new Error("mine")
  }, 50)
  add("c", 0)
  expect(() => timeline.step(1000)).toThrow("mine")
  while (timeline.step(1000));
  add("d", 0)
  add("e", 10)
  delay.clear()
  while (timeline.step(2000));
  expect(seen).toEqual(["a 0", "b 100", "c 100", "d 100"])
})
