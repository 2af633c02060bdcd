/**
 * Primitives that show the users of a room, for Solid 1.9.
 *
 * ```tsx
 * import { RollcallProvider, useRoom, useUsers } from "rollcall/solid"
 *
 * function Users() {
 *   const room = useRoom<{ name: string }>("rooms:1", { me: { name: "Ada" } })
 *   const users = useUsers(room)
 *   return <For each={users()}>{(user) => <p>{user.metas[0].name}</p>}</For>
 * }
 * render(() => <RollcallProvider url="/socket"><Users /></RollcallProvider>, element)
 * ```
 *
 * All arguments may be accessors. All primitives that take a room take `undefined`, too.
 *
 * @packageDocumentation
 */
import {
  createComponent,
  createContext,
  createEffect,
  createMemo,
  createSignal,
  onCleanup,
  sharedConfig,
  untrack,
  useContext,
  type Accessor,
  type Context,
  type JSX,
  type ParentProps,
} from "solid-js"
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
  type None,
  type OnlineSnapshot,
  type Selecting,
} from "../reading.ts"
import type { Received, Room } from "../room.ts"
import type { Entry, Status } from "../store.ts"

export type { OnlineSnapshot } from "../reading.ts"
export type { RollcallProviderProps } from "../provided.ts"

/** Options of `useRoom`: `params`, `me`, `initialUsers`, and those of `connection.room`. */
export type UseRoomOptions<
  F extends object = Record<string, unknown>,
  Me extends object = Record<string, unknown>,
> = HeldRoomOptions<F, Me>

/** A value, or an accessor for it. */
export type MaybeAccessor<T> = T | Accessor<T>

type MaybeRoom<F extends object = Record<string, unknown>, Name = string> = MaybeAccessor<Room<F, Name> | None>
type Keys = MaybeAccessor<readonly string[] | None>

const ProvidedContext: Context<Accessor<Provided> | undefined> = createContext()

/**
 * Gives the components below it a connection: one of your own, or one to `url`, which is opened with the first room and closed when
 * the provider is disposed of.
 */
export function RollcallProvider(props: ParentProps<RollcallProviderProps>): JSX.Element {
  const target = createMemo(() => props.connection ?? props.url)
  const provided = createMemo(() => {
    const current = target()
    return untrack(() => createProvided(current, props.options))
  })
  createEffect(() => onCleanup(provided().open()))
  return createComponent(ProvidedContext.Provider, {
    value: provided,
    get children() {
      return props.children
    },
  })
}

/**
 * Returns the room of a topic as an accessor. It is joined when the component is mounted, and left 50 ms after the last component
 * with this topic is disposed of. Until its first view comes, it shows `initialUsers` or no users, and its status is `joining`.
 *
 * Without a topic, the room is `undefined`. Only another topic joins anew: other options are used for the next join, and a changed
 * `me` is sent by `update`.
 *
 * @throws ConfigError if there is no `RollcallProvider` above
 */
export function useRoom<Name extends Topic>(
  topic: Name,
  options?: MaybeAccessor<UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>>,
): Accessor<Room<MetaOf<Name>, Name>>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: PlainTopic,
  options?: MaybeAccessor<UseRoomOptions<F, Partial<F>>>,
): Accessor<Room<F>>
export function useRoom<Name extends Topic>(
  topic: MaybeAccessor<Name | None>,
  options?: MaybeAccessor<UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>>,
): Accessor<Room<MetaOf<Name>, Name> | undefined>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: MaybeAccessor<PlainTopic | None>,
  options?: MaybeAccessor<UseRoomOptions<F, Partial<F>>>,
): Accessor<Room<F> | undefined>
export function useRoom(
  topic: MaybeAccessor<string | None>,
  options: MaybeAccessor<HeldRoomOptions> = {},
): Accessor<Room | undefined> {
  const provided = useProvided()
  const given = createMemo(() => withCopy(access(options)))
  const room = createMemo(() => {
    const name = access(topic)
    return typeof name === "string" ? provided().room(name, given()) : undefined
  })
  createEffect(() => {
    const current = room()
    if (!current) return
    // What it calls, such as `params`, may read signals, which are no reason to do this again.
    onCleanup(untrack(current.hold))
    createEffect(({ me: former }: HeldRoomOptions) => {
      current.updateMe(former, given().me)
      return given()
    }, untrack(given))
  })
  return room
}

/**
 * Returns the users of a room, or what `selector` returns for them, as an accessor. It changes when `isEqual` is false for the last value and
 * the new one. By default, arrays are compared item by item, and other values by `Object.is`. The selector may read signals.
 */
export function useUsers<F extends object>(room: MaybeRoom<F>): Accessor<readonly Entry<F>[]>
export function useUsers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): Accessor<T>
export function useUsers(room: MaybeRoom, ...how: Selecting): Accessor<unknown> {
  return useRead(room, (room) => room.getSnapshot().users, how)
}

/** Returns all users but our own, or what `selector` returns for them, as an accessor. Compares as `useUsers` does. */
export function useOthers<F extends object>(room: MaybeRoom<F>): Accessor<readonly Entry<F>[]>
export function useOthers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): Accessor<T>
export function useOthers(room: MaybeRoom, ...how: Selecting): Accessor<unknown> {
  return useRead(room, (room) => room.others(), how)
}

/**
 * Returns the user under a key, `undefined` while it is not present, or what `selector` returns for it, as an accessor. Changes of other users
 * cost nothing.
 */
export function useUser<F extends object>(
  room: MaybeRoom<F>,
  key: MaybeAccessor<string>,
): Accessor<Entry<F> | undefined>
export function useUser<F extends object, T>(
  room: MaybeRoom<F>,
  key: MaybeAccessor<string>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): Accessor<T>
export function useUser(room: MaybeRoom, key: MaybeAccessor<string>, ...how: Selecting): Accessor<unknown> {
  return useRead(room, (room, key) => room.get(key!), how, key)
}

/** Returns our own user, `undefined` while it is not known or not present, or what `selector` returns for it, as an accessor. */
export function useSelf<F extends object>(room: MaybeRoom<F>): Accessor<Entry<F> | undefined>
export function useSelf<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): Accessor<T>
export function useSelf(room: MaybeRoom, ...how: Selecting): Accessor<unknown> {
  return useRead(room, (room) => room.self, how)
}

/**
 * Returns which of these keys are online in any topic, or what `selector` returns for them, as an accessor: a `Map` of those that are
 * known, with the `status` of the question. The server decides which keys a page may ask about. Compares as `useUsers` does.
 *
 * What is known of keys that stay is kept. Without keys, nothing is asked.
 *
 * @throws ConfigError if there is no `RollcallProvider` above, and for keys that are no list of strings
 */
export function useOnline(keys: Keys): Accessor<OnlineSnapshot>
export function useOnline<T>(
  keys: Keys,
  selector: (online: OnlineSnapshot) => T,
  isEqual?: (a: T, b: T) => boolean,
): Accessor<T>
export function useOnline(keys: Keys, ...how: Selecting): Accessor<unknown> {
  const provided = useProvided()
  const online = createMemo(() => createHeldOnline(provided(), access(keys)))
  return useRead(online as never, (online) => online.getSnapshot(), how)
}

/** Returns the status of a room, as an accessor: `joining`, `live`, `stale` or `closed`. Without a room it is `joining`. */
export function useStatus<F extends object>(room: MaybeRoom<F>): Accessor<Status> {
  return useRead(room as MaybeRoom, (room) => room.status) as Accessor<Status>
}

/** Returns a function that calls `room.update` of the room of that time. Without a room, it throws a ConfigError. */
export function useUpdate<F extends object>(room: MaybeRoom<F>): Room<F>["update"] {
  return callOf(access<Room<F> | None>, room, "update")
}

/** Returns a function that calls `room.broadcast` of the room of that time. Without a room, it throws a ConfigError. */
export function useBroadcast<F extends object, Name>(room: MaybeRoom<F, Name>): Room<F, Name>["broadcast"] {
  return callOf(access<Room<F, Name> | None>, room, "broadcast")
}

/** Calls `callback` with the payload of each message of this event, while the component is mounted. */
export function useEvent<F extends object, Name, Event extends keyof EventsOf<Name> & string>(
  room: MaybeRoom<F, Name>,
  event: Event,
  callback: (payload: Received<Name, Event>) => void,
): void
export function useEvent<Payload = unknown>(
  room: MaybeAccessor<Pick<Room<never>, "on"> | None>,
  event: string,
  callback: (payload: Payload) => void,
): void
export function useEvent(
  room: MaybeAccessor<Pick<Room<never>, "on"> | None>,
  event: string,
  callback: (payload: never) => void,
): void {
  createEffect(() => {
    const current = access(room)
    if (current) onCleanup(untrack(() => current.on(event, callback)))
  })
}

const useProvided = (): Accessor<Provided> => useContext(ProvidedContext) ?? refuse("a RollcallProvider above")

function useRead(
  room: MaybeRoom,
  read: (room: Readable<Record<string, unknown>>, key?: string) => unknown,
  how: Selecting = [],
  key?: MaybeAccessor<string>,
): Accessor<unknown> {
  const choose = createChoice(how)
  const [version, change] = createSignal(undefined, { equals: false })
  /** Whether this takes over what a server has rendered. What it shows first must be the same. */
  let isHydrating = !!sharedConfig.context
  const source = () => [(access(room) as HeldRoom | None) ?? none, access(key)] as const
  createEffect(() => {
    const [room, key] = source()
    isHydrating = false
    change()
    onCleanup(untrack(() => follow(room, key, change)))
  })
  return createMemo(() => {
    version()
    const [room, key] = source()
    return choose(read((isHydrating && room.initial) || room, key))
  })
}
