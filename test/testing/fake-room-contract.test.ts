/** The same steps give the same views with the fake room and with the real server. */
import fc from "fast-check"
import { expect, test } from "vitest"
import { connect, type Connection, type Room } from "../../src/client/index.ts"
import { createServer, relay } from "../../src/server/index.ts"
import { fakeRoom, memoryTransport } from "../../src/testing/index.ts"

type Fields = { name: string; status?: string | undefined }

/** What a test can make happen, with either. */
interface Stage {
  readonly room: Room<Fields>
  join(key: string, meta: Fields): Promise<void> | void
  update(key: string, patch: Partial<Fields>): Promise<void> | void
  leave(key: string): void
  send(key: string, event: string, payload: object): Promise<void> | void
  cut(): void
  restore(): void
  end(): Promise<void> | void
}

function fakeStage(): Stage {
  const fake = fakeRoom<Fields>("rooms:1", { me: { name: "Me" }, room: { updateThrottleMs: 0 } })
  return {
    room: fake.room,
    join: (key, meta) => void fake.join(key, meta),
    update: (key, patch) => void fake.update(key, patch),
    leave: (key) => fake.leave(key),
    send: (key, event, payload) => fake.send(event, { ...payload, from: key }),
    cut: () => fake.setStatus("stale"),
    restore: () => fake.setStatus("live"),
    end: () => fake.connection.disconnect(),
  }
}

async function realStage(): Promise<Stage> {
  const server = createServer()
  server.socket("/socket", { connect: ({ params }) => ({ key: String(params["key"]) }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    allow: ["name", "status"],
    presence: ({ assigns }, me) => ({ key: String(assigns["key"]), meta: me }),
    on: { cursor: relay() },
  })
  const ours = memoryTransport(server)
  const theirs = memoryTransport(server)
  const enter = async (key: string, me: Fields, transport = theirs.WebSocket): Promise<[Connection, Room<Fields>]> => {
    const connection = connect("ws://memory/socket", { transport, params: { key }, reconnectAfterMs: () => 0 })
    const room = connection.room<Fields>("rooms:1", { me }, { updateThrottleMs: 0 })
    await room.ready
    return [connection, room]
  }
  const [connection, room] = await enter("me", { name: "Me" }, ours.WebSocket)
  const others = new Map<string, [Connection, Room<Fields>][]>()
  return {
    room,
    async join(key, meta) {
      others.set(key, [...(others.get(key) ?? []), await enter(key, meta)])
    },
    async update(key, patch) {
      await (key === "me" ? room : others.get(key)!.at(-1)![1]).update(patch)
    },
    leave(key) {
      for (const [connection] of others.get(key)!) connection.disconnect()
      others.delete(key)
    },
    send: (key, event, payload) => others.get(key)!.at(-1)![1].broadcast(event, payload),
    cut() {
      ours.reachable = false
      ours.drop()
    },
    restore() {
      ours.reachable = true
    },
    async end() {
      for (const [connection] of [...others.values()].flat()) connection.disconnect()
      connection.disconnect()
      await server.close()
    },
  }
}

/** What a page would show, and has been told, without references and times. */
function observe(room: Room<Fields>) {
  const told: string[] = []
  room.onChange((changes, cause) => {
    // A resync comes in the order of the server's state, in which no order is promised.
    const lines = changes.map((change) => {
      const fields = change.type === "update" ? [...change.fields].sort() : []
      return [cause, change.type, change.key, ...fields].join(" ")
    })
    told.push(...(cause === "resync" ? lines.sort() : lines))
  })
  room.on<{ from: string; n: number }>("cursor", ({ from, n }) => told.push(`cursor ${n} of ${from}`))
  return () => ({
    status: room.status,
    reason: room.reason?.code,
    size: room.size,
    self: room.self?.key,
    others: room
      .others()
      .map(({ key }) => key)
      .sort(),
    users: Object.fromEntries(
      room.list((key, { metas }) => [
        key,
        metas.map(({ phx_ref: _ref, phx_ref_prev: _previous, ...fields }) => fields),
      ]),
    ),
    told: [...told],
  })
}

type Step = readonly ["join" | "update" | "leave" | "send" | "cut" | "restore" | "mine", key: string, n: number]

/** Returns the steps that are possible one after the other. */
function possible(steps: readonly Step[]): Step[] {
  const present = new Map<string, number>()
  let isCut = false
  return steps.filter(([what, key]) => {
    const devices = present.get(key) ?? 0
    if (what === "join") present.set(key, devices + 1)
    if (what === "leave") present.delete(key)
    if (what === "cut" || what === "restore") {
      if (isCut === (what === "cut")) return false
      isCut = !isCut
      return true
    }
    // What is sent meanwhile is not seen; what we update waits.
    if (what === "send") return devices > 0 && !isCut
    return what === "join" || what === "mine" ? what === "join" || !isCut : devices > 0
  })
}

async function perform(stage: Stage, [what, key, n]: Step): Promise<void> {
  if (what === "join") await stage.join(key, { name: `${key} ${n}` })
  else if (what === "update") await stage.update(key, n % 3 === 0 ? { status: undefined } : { status: `s${n}` })
  else if (what === "mine") await stage.room.update({ status: `m${n}` })
  else if (what === "leave") stage.leave(key)
  else if (what === "send") await stage.send(key, "cursor", { n })
  else stage[what]()
}

test("whatever other users, the network and the application do, step by step", async () => {
  const step = fc.tuple(
    fc.constantFrom("join", "join", "update", "leave", "send", "cut", "restore", "mine"),
    fc.constantFrom("ada", "bob"),
    fc.nat(9),
  ) as fc.Arbitrary<Step>
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const fake = fakeStage()
      const real = await realStage()
      const [seenOfFake, seenOfReal] = [observe(fake.room), observe(real.room)]
      for (const each of possible(steps)) {
        await perform(fake, each)
        await perform(real, each)
        await expect.poll(seenOfReal, { message: JSON.stringify(possible(steps)) }).toEqual(seenOfFake())
      }
      await fake.end()
      await real.end()
    }),
    { numRuns: 30 },
  )
})
