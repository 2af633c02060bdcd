import { z } from "zod"
import { expectTypeOf, test } from "vitest"
import { connect, defineRoom, type Entry, type KeyStatus, type Room, type Status } from "../../src/client/index.ts"
import {
  RollcallProvider,
  useBroadcast,
  useEvent,
  useOnline,
  useOthers,
  useRoom,
  useSelf,
  useStatus,
  useUpdate,
  useUser,
  useUsers,
  type OnlineSnapshot,
} from "../../src/client/bindings/react.ts"

const lobby = defineRoom("rooms:*", {
  meta: z.object({ name: z.string(), color: z.string().default("gray") }),
  events: { cursor: z.object({ x: z.number() }) },
})

test("a topic of a definition types the room, and what hooks return of it", () => {
  const room = useRoom(lobby.topic("1"), { me: { name: "Ada" } })
  expectTypeOf(useUsers(room)[0]!.metas[0].color).toEqualTypeOf<string>()
  expectTypeOf(useUser(room, "ada", (user) => user?.metas[0].name)).toEqualTypeOf<string | undefined>()
  expectTypeOf(useOthers(room, (users) => users.length)).toEqualTypeOf<number>()
  expectTypeOf(useSelf(room)?.metas[0].name).toEqualTypeOf<string | undefined>()
  expectTypeOf(useStatus(room)).toEqualTypeOf<"joining" | "live" | "stale" | "closed">()
  useEvent(room, "cursor", ({ x, from }) => {
    expectTypeOf(x).toEqualTypeOf<number>()
    expectTypeOf(from).toEqualTypeOf<string | undefined>()
  })
  void useBroadcast(room)("cursor", { x: 1 })
  // @ts-expect-error -- a wrong payload
  void useBroadcast(room)("cursor", { x: "1" })
  // @ts-expect-error -- a wrong field
  useUpdate(room)({ nickname: "A" })
  // @ts-expect-error -- the name is missing
  useRoom(lobby.topic("1"), { me: { color: "red" } })
  // @ts-expect-error -- a wrong field
  useUsers(room, (users) => users[0]!.metas[0].nickname)
})

test("a plain topic has the fields that are named, or any", () => {
  const room = useRoom<{ name: string }>("rooms:1", { me: { name: "Ada" }, initialUsers: [] })
  expectTypeOf(room).toEqualTypeOf<Room<{ name: string }>>()
  expectTypeOf(useUsers(room)).toEqualTypeOf<readonly Entry<{ name: string }>[]>()
  useEvent<{ x: number }>(room, "cursor", ({ x }) => expectTypeOf(x).toEqualTypeOf<number>())
  useEvent(room, "cursor", (payload) => expectTypeOf(payload).toEqualTypeOf<unknown>())
  expectTypeOf(useUsers(useRoom("rooms:1"))[0]!.metas[0]["any"]).toEqualTypeOf<unknown>()
  // @ts-expect-error -- a wrong field
  useRoom<{ name: string }>("rooms:1", { me: { nickname: "A" } })
})

test("without a topic there is no room, which every hook takes", () => {
  const topic = "rooms:1" as string | undefined
  const room = useRoom<{ name: string }>(topic)
  expectTypeOf(room).toEqualTypeOf<Room<{ name: string }> | undefined>()
  expectTypeOf(useUsers(room)).toEqualTypeOf<readonly Entry<{ name: string }>[]>()
  expectTypeOf(useUpdate(room)).toEqualTypeOf<Room<{ name: string }>["update"]>()
  useEvent(room, "cursor", () => {})
  useUsers(undefined)
})

test("a room of the connection is taken by the hooks, too", () => {
  const room = connect("/socket").room<{ name: string }>("rooms:1")
  expectTypeOf(useUser(room, "ada")).toEqualTypeOf<Entry<{ name: string }> | undefined>()
})

test("a provider takes a connection or a URL", () => {
  RollcallProvider({ connection: connect("/socket") })
  RollcallProvider({ url: "/socket", options: { params: { token: "t" } } })
  // @ts-expect-error -- both
  RollcallProvider({ connection: connect("/socket"), url: "/socket" })
  // @ts-expect-error -- neither
  RollcallProvider({})
})

test("which keys are online is a map with a status, or what a selector returns", () => {
  expectTypeOf(useOnline(["ada"])).toEqualTypeOf<OnlineSnapshot>()
  expectTypeOf(useOnline(undefined).status).toEqualTypeOf<Status>()
  expectTypeOf(useOnline(["ada"], (online) => online.get("ada"))).toEqualTypeOf<KeyStatus | undefined>()
  // @ts-expect-error -- a single key
  useOnline("ada")
})
