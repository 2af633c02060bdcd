import type { Accessor } from "solid-js"
import type { ComputedRef } from "vue"
import { z } from "zod"
import { expectTypeOf, test } from "vitest"
import { connect, defineRoom, type Entry, type KeyStatus, type Room, type Status } from "../../src/client/index.ts"
import * as solid from "../../src/client/bindings/solid.ts"
import * as svelte from "../../src/client/bindings/svelte.ts"
import * as vue from "../../src/client/bindings/vue.ts"

const lobby = defineRoom("rooms:*", {
  meta: z.object({ name: z.string(), color: z.string().default("gray") }),
  events: { cursor: z.object({ x: z.number() }) },
})
type Person = { name: string }

test("with Vue, a room and what is read of it are refs of its types", () => {
  const room = vue.useRoom(lobby.topic("1"), () => ({ me: { name: "Ada" } }))
  expectTypeOf(vue.useUsers(room).value[0]!.metas[0].color).toEqualTypeOf<string>()
  expectTypeOf(
    vue.useUser(
      room,
      () => "ada",
      (user) => user?.metas[0].name,
    ),
  ).toEqualTypeOf<ComputedRef<string | undefined>>()
  expectTypeOf(vue.useRoom<Person>(() => undefined as string | undefined)).toEqualTypeOf<
    ComputedRef<Room<Person> | undefined>
  >()
  expectTypeOf(vue.useOthers(connect("/socket").room<Person>("rooms:1")).value).toEqualTypeOf<
    readonly Entry<Person>[]
  >()
  vue.useEvent(room, "cursor", ({ x, from }) => {
    expectTypeOf(x).toEqualTypeOf<number>()
    expectTypeOf(from).toEqualTypeOf<string | undefined>()
  })
  // @ts-expect-error -- a wrong payload
  void vue.useBroadcast(room)("cursor", { x: "1" })
  // @ts-expect-error -- a wrong field
  vue.useUpdate(room)({ nickname: "A" })
  // @ts-expect-error -- the name is missing
  vue.useRoom(lobby.topic("1"), { me: { color: "red" } })
})

test("which keys are online is a map with a status, or what a selector returns", () => {
  expectTypeOf(vue.useOnline(() => ["ada"])).toEqualTypeOf<ComputedRef<vue.OnlineSnapshot>>()
  expectTypeOf(svelte.useOnline(["ada"]).current.status).toEqualTypeOf<Status>()
  expectTypeOf(
    solid
      .useOnline(() => null)()
      .get("ada"),
  ).toEqualTypeOf<KeyStatus | undefined>()
  expectTypeOf(vue.useOnline(["ada"], ({ size }) => size)).toEqualTypeOf<ComputedRef<number>>()
  expectTypeOf(svelte.useOnline(["ada"], ({ reason }) => reason?.code === "rejected").current).toEqualTypeOf<boolean>()
  expectTypeOf(solid.useOnline(["ada"], (online) => online.has("ada"))).toEqualTypeOf<Accessor<boolean>>()
  // @ts-expect-error -- a single key
  solid.useOnline("ada")
})

test("with Svelte, a room and what is read of it are in `current`, with their types", () => {
  const room = svelte.useRoom(lobby.topic("1"), () => ({ me: { name: "Ada" } }))
  expectTypeOf(svelte.useUsers(room).current[0]!.metas[0].color).toEqualTypeOf<string>()
  expectTypeOf(
    svelte.useUser(
      room,
      () => "ada",
      (user) => user?.metas[0].name,
    ).current,
  ).toEqualTypeOf<string | undefined>()
  expectTypeOf(svelte.useRoom<Person>(() => undefined as string | undefined).current).toEqualTypeOf<
    Room<Person> | undefined
  >()
  expectTypeOf(svelte.useOthers(() => connect("/socket").room<Person>("rooms:1")).current).toEqualTypeOf<
    readonly Entry<Person>[]
  >()
  svelte.useEvent(room, "cursor", ({ x }) => expectTypeOf(x).toEqualTypeOf<number>())
  // @ts-expect-error -- a wrong payload
  void svelte.useBroadcast(room)("cursor", { x: "1" })
  // @ts-expect-error -- a wrong field
  svelte.useUpdate(room)({ nickname: "A" })
  // @ts-expect-error -- neither a URL nor a connection
  svelte.provideRollcall({})
})

test("with Solid, a room and what is read of it are accessors of its types", () => {
  const room = solid.useRoom(lobby.topic("1"), () => ({ me: { name: "Ada" } }))
  expectTypeOf(solid.useUsers(room)()[0]!.metas[0].color).toEqualTypeOf<string>()
  expectTypeOf(
    solid.useUser(
      room,
      () => "ada",
      (user) => user?.metas[0].name,
    ),
  ).toEqualTypeOf<Accessor<string | undefined>>()
  expectTypeOf(solid.useRoom<Person>(() => undefined as string | undefined)).toEqualTypeOf<
    Accessor<Room<Person> | undefined>
  >()
  expectTypeOf(solid.useOthers(connect("/socket").room<Person>("rooms:1"))()).toEqualTypeOf<readonly Entry<Person>[]>()
  solid.useEvent(room, "cursor", ({ x }) => expectTypeOf(x).toEqualTypeOf<number>())
  // @ts-expect-error -- a wrong payload
  void solid.useBroadcast(room)("cursor", { x: "1" })
  // @ts-expect-error -- a wrong field
  solid.useUpdate(room)({ nickname: "A" })
})
