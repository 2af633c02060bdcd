/**
 * Functions that show the users of a room, for Svelte 5.
 *
 * ```svelte
 * <script lang="ts">
 *   import { provideRollcall, useRoom, useUsers } from "rollcall/svelte"
 *
 *   provideRollcall({ url: "/socket" }) // in a component at the top: it is for those below, too
 *   const room = useRoom<{ name: string }>("rooms:1", { me: { name: "Ada" } })
 *   const users = useUsers(room)
 * </script>
 *
 * {#each users.current as user (user.key)}
 *   <p>{user.metas[0].name}</p>
 * {/each}
 * ```
 *
 * All arguments may be functions: what these read may change. All functions that take a room take `undefined`, too.
 *
 * @packageDocumentation
 */
import { getContext, setContext, untrack } from "svelte"
import { createSubscriber } from "svelte/reactivity"
import type { EventsOf, MetaInputOf, MetaOf, PlainTopic, Topic } from "../../room-definition.ts"
import type { HeldRoom, HeldRoomOptions, Readable } from "../held-room.ts"
import { createProvided, type Provided, type RollcallProviderProps } from "../provided.ts"
import {
  access,
  callOf,
  createChoice,
  createHeldOnline,
  follow,
  none,
  refuse,
  withCopy,
  type HeldOnline,
  type None,
  type OnlineSnapshot,
  type Selecting,
} from "../reading.ts"
import type { Received, Room } from "../room.ts"
import type { Entry, Status } from "../store.ts"
import { whileMounted } from "./svelte-mounted.ts"

export type { OnlineSnapshot } from "../reading.ts"
export type { RollcallProviderProps } from "../provided.ts"

/** Options of `useRoom`: `params`, `me`, `initialUsers`, and those of `connection.room`. */
export type UseRoomOptions<
  F extends object = Record<string, unknown>,
  Me extends object = Record<string, unknown>,
> = HeldRoomOptions<F, Me>

/** A value, or a function that returns it. */
export type MaybeGetter<T> = T | (() => T)

/** A value that changes. A template, a `$derived` or an `$effect` that reads `current` runs again when it does. */
export interface Current<T> {
  readonly current: T
}

/** A room, a function that returns one, or what `useRoom` returns. */
type Given<R> = MaybeGetter<R | None> | Current<R | None>
type MaybeRoom<F extends object = Record<string, unknown>, Name = string> = Given<Room<F, Name>>
type Keys = MaybeGetter<readonly string[] | None>

const KEY = {}

/**
 * Gives this component and those below it a connection: one of your own, or one to `url`, which is opened with the first room and closed
 * when this component is destroyed.
 */
export function provideRollcall(props: MaybeGetter<RollcallProviderProps>): void {
  let last: Provided | undefined
  let target: unknown
  const provided = (): Provided => {
    const { connection, url, options } = access(props)
    const current = connection ?? url
    if (!last || current !== target) last = untrack(() => createProvided(current, options))
    target = current
    return last
  }
  setContext(KEY, provided)
  whileMounted(provided, (provided) => provided.open())
}

/**
 * Returns the room of a topic as `current`. It is joined when the component is mounted, and left 50 ms after the last component
 * with this topic is destroyed. Until its first view comes, it shows `initialUsers` or no users, and its status is `joining`.
 *
 * Without a topic, the room is `undefined`. Only another topic joins anew: other options are used for the next join, and a changed
 * `me` is sent by `update`.
 *
 * @throws ConfigError if there is no `provideRollcall` in a component above
 */
export function useRoom<Name extends Topic>(
  topic: Name,
  options?: MaybeGetter<UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>>,
): Current<Room<MetaOf<Name>, Name>>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: PlainTopic,
  options?: MaybeGetter<UseRoomOptions<F, Partial<F>>>,
): Current<Room<F>>
export function useRoom<Name extends Topic>(
  topic: MaybeGetter<Name | None>,
  options?: MaybeGetter<UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>>,
): Current<Room<MetaOf<Name>, Name> | undefined>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: MaybeGetter<PlainTopic | None>,
  options?: MaybeGetter<UseRoomOptions<F, Partial<F>>>,
): Current<Room<F> | undefined>
export function useRoom(
  topic: MaybeGetter<string | None>,
  options: MaybeGetter<HeldRoomOptions> = {},
): Current<Room | undefined> {
  const provided = getProvided()
  const given = (): HeldRoomOptions => withCopy(access(options))
  let last: readonly [topic: string | None, from: Provided, room: HeldRoom | undefined] | undefined
  const room = (): HeldRoom | undefined => {
    const name = access(topic)
    const from = provided()
    if (last?.[0] !== name || last?.[1] !== from) {
      last = [name, from, typeof name === "string" ? untrack(() => from.room(name, given())) : undefined]
    }
    return last[2]
  }
  whileMounted(room, (room) => room?.hold())
  let former: readonly [room: HeldRoom | undefined, me: HeldRoomOptions["me"]] | undefined
  whileMounted(
    () => [room(), given()] as const,
    ([room, options]) => {
      if (room) provided().room(room.topic, options)
      if (former && former[0] === room) room?.updateMe(former[1], options.me)
      former = [room, options.me]
      return undefined
    },
  )
  return {
    get current() {
      return room()
    },
  }
}

/**
 * Returns the users of a room, or what `selector` returns for them, as `current`. It changes when `isEqual` is false for the last value and
 * the new one. By default, arrays are compared item by item, and other values by `Object.is`. The selector may read state.
 */
export function useUsers<F extends object>(room: MaybeRoom<F>): Current<readonly Entry<F>[]>
export function useUsers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): Current<T>
export function useUsers(room: MaybeRoom, ...how: Selecting): Current<unknown> {
  return useRead(room, (room) => room.getSnapshot().users, how)
}

/** Returns all users but our own, or what `selector` returns for them, as `current`. Compares as `useUsers` does. */
export function useOthers<F extends object>(room: MaybeRoom<F>): Current<readonly Entry<F>[]>
export function useOthers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): Current<T>
export function useOthers(room: MaybeRoom, ...how: Selecting): Current<unknown> {
  return useRead(room, (room) => room.others(), how)
}

/**
 * Returns the user under a key, `undefined` while it is not present, or what `selector` returns for it, as `current`. Changes of other users
 * cost nothing.
 */
export function useUser<F extends object>(room: MaybeRoom<F>, key: MaybeGetter<string>): Current<Entry<F> | undefined>
export function useUser<F extends object, T>(
  room: MaybeRoom<F>,
  key: MaybeGetter<string>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): Current<T>
export function useUser(room: MaybeRoom, key: MaybeGetter<string>, ...how: Selecting): Current<unknown> {
  return useRead(room, (room, key) => room.get(key!), how, key)
}

/** Returns our own user, `undefined` while it is not known or not present, or what `selector` returns for it, as `current`. */
export function useSelf<F extends object>(room: MaybeRoom<F>): Current<Entry<F> | undefined>
export function useSelf<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): Current<T>
export function useSelf(room: MaybeRoom, ...how: Selecting): Current<unknown> {
  return useRead(room, (room) => room.self, how)
}

/**
 * Returns which of these keys are online in any topic, or what `selector` returns for them, as `current`: a `Map` of those that are known,
 * with the `status` of the question. The server decides which keys a page may ask about. Compares as `useUsers` does.
 *
 * What is known of keys that stay is kept. Without keys, nothing is asked.
 *
 * @throws ConfigError if there is no `provideRollcall` in a component above, and for keys that are no list of strings
 */
export function useOnline(keys: Keys): Current<OnlineSnapshot>
export function useOnline<T>(
  keys: Keys,
  selector: (online: OnlineSnapshot) => T,
  isEqual?: (a: T, b: T) => boolean,
): Current<T>
export function useOnline(keys: Keys, ...how: Selecting): Current<unknown> {
  const provided = getProvided()
  let last: readonly [names: string, from: Provided, online: HeldOnline] | undefined
  const online = (): HeldOnline => {
    const given = access(keys)
    const names = JSON.stringify(given)
    const from = provided()
    if (last?.[0] !== names || last[1] !== from) last = [names, from, createHeldOnline(from, given)]
    return last[2]
  }
  return useRead(online as never, (online) => online.getSnapshot(), how)
}

/** Returns the status of a room, as `current`: `joining`, `live`, `stale` or `closed`. Without a room it is `joining`. */
export function useStatus<F extends object>(room: MaybeRoom<F>): Current<Status> {
  return useRead(room as MaybeRoom, (room) => room.status) as Current<Status>
}

/** Returns a function that calls `room.update` of the room of that time. Without a room, it throws a ConfigError. */
export function useUpdate<F extends object>(room: MaybeRoom<F>): Room<F>["update"] {
  return callOf(roomOf<Room<F>>, room, "update")
}

/** Returns a function that calls `room.broadcast` of the room of that time. Without a room, it throws a ConfigError. */
export function useBroadcast<F extends object, Name>(room: MaybeRoom<F, Name>): Room<F, Name>["broadcast"] {
  return callOf(roomOf<Room<F, Name>>, room, "broadcast")
}

/** Calls `callback` with the payload of each message of this event, while the component is mounted. */
export function useEvent<F extends object, Name, Event extends keyof EventsOf<Name> & string>(
  room: MaybeRoom<F, Name>,
  event: Event,
  callback: (payload: Received<Name, Event>) => void,
): void
export function useEvent<Payload = unknown>(
  room: Given<Pick<Room<never>, "on">>,
  event: string,
  callback: (payload: Payload) => void,
): void
export function useEvent(
  room: Given<Pick<Room<never>, "on">>,
  event: string,
  callback: (payload: never) => void,
): void {
  whileMounted(
    () => roomOf(room),
    (room) => room?.on(event, callback),
  )
}

const getProvided = (): (() => Provided) =>
  getContext<(() => Provided) | undefined>(KEY) ?? refuse("provideRollcall in a component above")

function roomOf<R extends object>(given: Given<R>): R | None {
  const value = access<unknown>(given) as R | Current<R | None> | None
  return value && "current" in value ? value.current : value
}

function useRead(
  room: MaybeRoom,
  read: (room: Readable<Record<string, unknown>>, key?: string) => unknown,
  how: Selecting = [],
  key?: MaybeGetter<string>,
): Current<unknown> {
  const choose = createChoice(how)
  let followed: readonly [room: unknown, key: unknown, subscribe: () => void] | undefined
  return {
    get current() {
      const current = roomOf(room) ?? none
      const name = access(key)
      let last: unknown
      const look = (): unknown => (last = choose(read(current, name)))
      if (!followed || followed[0] !== current || followed[1] !== name) {
        const subscribe = createSubscriber((update) =>
          follow(current, name, () => {
            const before = last
            if (untrack(look) !== before) update()
          }),
        )
        followed = [current, name, subscribe]
      }
      followed[2]()
      return look()
    },
  }
}
