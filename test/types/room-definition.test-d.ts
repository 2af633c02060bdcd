/** What must compile, and what must not, for rooms that are defined by schemas: checked by `tsc -p test/tsconfig.json`. */
import { type } from "arktype"
import * as v from "valibot"
import { z } from "zod"
import { defineRoom as defineRoomOfClient, type Connection, type Problem, type Room } from "../../src/client/index.ts"
import { createServer, defineRoom, relay } from "../../src/server/index.ts"
import type { EventsOf, MetaInputOf, MetaOf, StandardSchema, Topic } from "../../src/server/index.ts"

const zod = defineRoom("rooms:*", {
  meta: z.object({ name: z.string(), color: z.string(), status: z.enum(["here", "away"]).default("here") }),
  events: { cursor: z.object({ x: z.number(), y: z.number() }) },
})
const valibot = defineRoom("rooms:*", {
  meta: v.object({ name: v.string(), color: v.string(), status: v.optional(v.picklist(["here", "away"]), "here") }),
  events: { cursor: v.object({ x: v.number(), y: v.number() }) },
})
const arktype = defineRoom("rooms:*", {
  meta: type({ name: "string", color: "string", status: "'here' | 'away' = 'here'" }),
  events: { cursor: type({ x: "number", y: "number" }) },
})

type Same<Left, Right> = [Left, Right] extends [Right, Left] ? true : false
type Fields = { name: string; color: string; status: "here" | "away" }
type Cursor = { cursor: { x: number; y: number } }

/** The types are those of the schemas, for each library, by the definition and by its topics. */
export const same: readonly true[] = [
  true satisfies Same<MetaOf<typeof zod>, Fields>,
  true satisfies Same<MetaOf<typeof valibot>, Fields>,
  true satisfies Same<MetaOf<typeof arktype>, Fields>,
  true satisfies Same<EventsOf<typeof zod>, Cursor>,
  true satisfies Same<EventsOf<typeof valibot>, Cursor>,
  true satisfies Same<EventsOf<typeof arktype>, Cursor>,
  true satisfies Same<MetaInputOf<typeof zod>["status"], "here" | "away" | undefined>,
  true satisfies Same<MetaOf<ReturnType<typeof zod.topic>>, Fields>,
  true satisfies Same<EventsOf<ReturnType<typeof zod.topic>>, Cursor>,
  true satisfies Same<MetaOf<"rooms:1">, Record<string, unknown>>,
]

/** A topic of a definition is a string, and no string is one by itself. */
export function topics(): void {
  const topic: string = zod.topic("1")
  const same: Topic = zod.topic(1)
  // @ts-expect-error -- a plain string
  const plain: ReturnType<typeof zod.topic> = topic
  void [same, plain]
}

export function server(): void {
  const server = createServer<{ userId: string; isAdmin: boolean }>()
  server.channel(zod, {
    join: (_topic, _params, { assigns }) => (assigns.isAdmin ? { ok: {} } : { error: { reason: "no" } }),
    allow: ["name", "color"],
    presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me ?? { name: assigns.userId, color: "gray" } }),
    joined(channel) {
      channel.broadcast("cursor", { x: 1, y: 2 })
      channel.push("anything", { else: true })
      channel.push("nothing")
      // @ts-expect-error -- a field is missing
      channel.broadcastFrom("cursor", { x: 1 })
      // @ts-expect-error -- the payload is missing
      channel.broadcast("cursor")
      server.presence.pushState(channel)
    },
    on: {
      cursor(payload, channel) {
        const { x, y } = payload
        channel.broadcastFrom("cursor", { x: x + 1, y })
        // @ts-expect-error -- no such field
        return { ok: payload.z }
      },
      presence_update: (payload, channel) => server.presence.handleUpdate(channel, payload, { allow: ["color"] }),
    },
    out: {
      presence_diff: ({ joins }, channel) => channel.push("names", { first: joins["ada"]?.metas[0]?.name.length }),
    },
  })
  const join = () => ({ ok: {} })
  server.channel(zod, { join, on: { cursor: relay() } })
  server.channel(valibot, { join, on: { cursor: relay({ reply: false }) } })
  server.channel("rooms:*", { join, on: { cursor: relay({ schema: z.object({ x: z.number() }), from: false }) } })
  // @ts-expect-error -- an event that the definition does not name
  server.channel(zod, { join, on: { curser: relay() } })
  // @ts-expect-error -- a field that the schema does not have
  server.channel(zod, { join, allow: ["nam"] })
  // @ts-expect-error -- the client may have sent no `me`
  server.channel(zod, { join, presence: (_channel, me) => ({ key: "ada", meta: me }) })
  // @ts-expect-error -- a color is missing
  server.channel(zod, { join, presence: () => ({ key: "ada", meta: { name: "Ada" } }) })
  // @ts-expect-error -- a meta is missing
  server.channel(zod, { join, presence: () => ({ key: "ada" }) })
  server.broadcast(zod.topic("1"), "cursor", { x: 1, y: 2 })
  server.broadcast(zod.topic("1"), "notice", "any")
  server.broadcast("rooms:1", "notice")
  const status: "here" | "away" | undefined = server.presence.get(zod.topic("1"), "ada")?.metas[0]?.status
  const anything: unknown = server.presence.list("rooms:1")["ada"]?.metas[0]?.["status"]
  void [status, anything]
  // @ts-expect-error -- a field is missing
  server.broadcast(zod.topic("1"), "cursor", { x: 1 })
}

/** Without a schema for metas, a client may say anything of itself, and nothing is required. */
export function withoutMeta(): void {
  const room = defineRoom("rooms:*", { events: { cursor: z.object({ x: z.number() }) } })
  const server = createServer<{ userId: string }>()
  const join = () => ({ ok: {} })
  server.channel(room, { join, presence: ({ assigns }, me) => ({ key: assigns.userId, meta: { name: me["name"] } }) })
  server.channel(room, { join, presence: ({ assigns }) => ({ key: assigns.userId }) })
  server.channel(defineRoom("lobby"), { join, presence: ({ assigns }) => ({ key: assigns.userId }) })
  server.channel("rooms:*", {
    join,
    allow: ["name"],
    presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
  })
}

/** A schema must be one, and its output for metas must be an object. */
export function schemas(mine: StandardSchema<unknown, { name: string }>): void {
  const name: MetaOf<ReturnType<typeof make>>["name"] = "ada"
  const make = () => defineRoom("rooms:*", { meta: mine })
  void name
  // @ts-expect-error -- no schema
  defineRoom("rooms:*", { meta: { name: "string" } })
  // @ts-expect-error -- a meta that is a text
  defineRoom("rooms:*", { meta: z.string() })
}

/** The client's room has the type of its topic. */
declare const connection: Connection
export const listed: Fields | undefined = connection.room(zod.topic("1")).get("ada")?.metas[0]
// @ts-expect-error -- the schema has no such field
connection.room(zod.topic("1")).update({ age: 5 })

/** So have its events and `me`, for each library. */
export function page(): void {
  const room = connection.room(zod.topic("1"), { me: { name: "Ada", color: "red" }, token: "any" })
  connection.room(zod.topic("1"), () => ({ me: { name: "Ada", color: "red" } }))
  connection.room(zod.topic("1"), async () => ({ token: "any" }))
  connection.room(zod.topic("1"), {}, { updateThrottleMs: 50 })
  // @ts-expect-error -- a color is missing
  connection.room(zod.topic("1"), { me: { name: "Ada" } })
  // @ts-expect-error -- a name is a text
  connection.room(zod.topic("1"), () => ({ me: { name: 5, color: "red" } }))
  for (const some of [room, connection.room(valibot.topic("1")), connection.room(arktype.topic("1"))]) {
    some.on("cursor", ({ x, y, from }) => [x + y, from?.length])
  }
  room.on("notice", (payload: { text: string }) => payload.text)
  // @ts-expect-error -- no such field
  room.on("cursor", (payload) => payload.z)
  void room.push("cursor", { x: 1, y: 2 })
  void room.push("other", { any: 1 })
  void room.push<{ seen: number }>("other").then(({ seen }) => seen)
  // @ts-expect-error -- a field is missing
  void room.push("cursor", { x: 1 })
  const same: Room<Fields> = room
  void same
}

/** A broadcast has the payload of its event. */
export function broadcasting(): void {
  const room = connection.room(zod.topic("1"))
  const sent: Promise<void> = room.broadcast("cursor", { x: 1, y: 2 }, { volatile: true })
  void room.broadcast("cursor", { x: 1, y: 2 })
  void room.broadcast("wave")
  void room.broadcast("ink", new Uint8Array(2), { volatile: true })
  // @ts-expect-error -- a field is missing
  void room.broadcast("cursor", { x: 1 })
  // @ts-expect-error -- the payload is missing
  void room.broadcast("cursor")
  // @ts-expect-error -- no such option
  void room.broadcast("wave", {}, { volatil: true })
  void connection.room("rooms:1").broadcast("anything", { at: 1 }, { volatile: true })
  // @ts-expect-error -- a payload is an object or bytes
  void connection.room("rooms:1").broadcast("anything", "text")
  void sent
}

/** The option `definition` types a room whose topic is any text, as a topic of the definition does. */
export function validating(topic: string): void {
  const told = (problem: Problem): string | undefined => problem.key ?? problem.event ?? problem.issues[0]?.message
  const options = { definition: zod, invalid: (problem: Problem) => void told(problem) }
  const room = connection.room(topic, { me: { name: "Ada", color: "red" } }, options)
  const fields: Fields | undefined = room.get("ada")?.metas[0]
  room.on("cursor", ({ x, y, from }) => [x + y, from?.length])
  connection.room(zod.topic("1"), {}, { definition: zod, invalid: "keep" })
  connection.room(valibot.topic("1"), {}, { definition: valibot, invalid: "drop" })
  connection.room(topic, undefined, { definition: defineRoom("rooms:*") }).on("any", (payload) => payload)
  // @ts-expect-error -- no such field
  room.update({ age: 5 })
  // @ts-expect-error -- no such choice
  connection.room(topic, {}, { definition: zod, invalid: "warn" })
  // @ts-expect-error -- no definition
  connection.room(topic, {}, { definition: { meta: z.object({}) } })
  void fields
}
export const untyped: unknown = connection.room<{ status: string }>("rooms:1").self?.metas[0]?.status
export const sameFunction: typeof defineRoom = defineRoomOfClient
