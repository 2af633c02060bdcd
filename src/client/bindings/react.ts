"use client"
/**
 * Hooks that show the users of a room, for React 18 and 19.
 *
 * ```tsx
 * import { RollcallProvider, useRoom, useUsers } from "rollcall/react"
 *
 * function Users() {
 *   const room = useRoom<{ name: string }>("rooms:1", { me: { name: "Ada" } })
 *   return useUsers(room).map((user) => <p key={user.key}>{user.metas[0].name}</p>)
 * }
 * createRoot(element).render(<RollcallProvider url="/socket"><Users /></RollcallProvider>)
 * ```
 *
 * All hooks that take a room take `undefined`, too.
 *
 * @packageDocumentation
 */
import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
  type ReactElement,
  type ReactNode,
} from "react"
import { ConfigError } from "../../error.ts"
import type { EventsOf, MetaInputOf, MetaOf, PlainTopic, Topic } from "../../room-definition.ts"
import { createHeldOnline, type OnlineSnapshot } from "../held-online.ts"
import { createInitial, type HeldRoom, type HeldRoomOptions, type Readable } from "../held-room.ts"
import { same } from "../metas.ts"
import { createProvided, type Provided, type RollcallProviderProps as ProviderProps } from "../provided.ts"
import type { Received, Room } from "../room.ts"
import { sameItems } from "../same-items.ts"
import type { Entry, Status } from "../store.ts"
import { select, type Source, type View } from "../view.ts"

/** Either a connection of your own, or what `connect` needs to make one. */
export type RollcallProviderProps = { readonly children?: ReactNode } & ProviderProps

export type { OnlineSnapshot } from "../held-online.ts"

/** Options of `useRoom`: `params`, `me`, `initialUsers`, and those of `connection.room`. */
export type UseRoomOptions<
  F extends object = Record<string, unknown>,
  Me extends object = Record<string, unknown>,
> = HeldRoomOptions<F, Me>

type None = null | undefined

/** What the hooks below one provider share, and what that provider was given. */
type Shared = Provided & { readonly given: unknown }

const Context = createContext<Shared | undefined>(undefined)

/**
 * What is shared below a provider that is not mounted yet. If a component below it suspends, React forgets the provider and renders it
 * again, which must not make another connection.
 */
let pending: Shared | undefined

/**
 * Gives the components below it a connection: one of your own, or one to `url`, which is opened with the first room and closed when
 * the provider is unmounted.
 */
export function RollcallProvider({ connection, url, options, children }: RollcallProviderProps): ReactElement {
  const shared = useMemo(() => {
    const given = [connection, url, options]
    if (pending && same(given, pending.given)) return pending
    const made = { ...createProvided(connection ?? url, options), given }
    // A server must not share what one request was given with another request.
    if (typeof window !== "undefined") pending = made
    return made
  }, [connection, url])

  useEffect(() => {
    pending = undefined
    return shared.open()
  }, [shared])

  return createElement(Context.Provider, { value: shared }, children)
}

/**
 * Returns the room of a topic. It is joined when the component is mounted, and left 50 ms after the last component with this topic is
 * unmounted. Until its first view comes, it shows `initialUsers` or no users, and its status is `joining`.
 *
 * Without a topic, the room is `undefined`. Only another topic joins anew: other options are used for the next join, and a changed
 * `me` is sent by `update`.
 *
 * @throws ConfigError if there is no `RollcallProvider` above
 */
export function useRoom<Name extends Topic>(
  topic: Name,
  options?: UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>,
): Room<MetaOf<Name>, Name>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: PlainTopic,
  options?: UseRoomOptions<F, Partial<F>>,
): Room<F>
export function useRoom<Name extends Topic>(
  topic: Name | None,
  options?: UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>,
): Room<MetaOf<Name>, Name> | undefined
export function useRoom<F extends object = Record<string, unknown>>(
  topic: PlainTopic | None,
  options?: UseRoomOptions<F, Partial<F>>,
): Room<F> | undefined
export function useRoom(topic: string | None, options: HeldRoomOptions = {}): Room | undefined {
  const shared = useShared()
  const room = typeof topic === "string" ? shared.room(topic, options) : undefined
  const me = useRef(options.me)
  useEffect(() => room?.hold(), [room])
  useEffect(() => {
    room?.updateMe(me.current, options.me)
    me.current = options.me
  })
  return room
}

/**
 * Returns the users of a room, or what `selector` returns for them. Renders again when that changed: when `isEqual` is false for the
 * last value and the new one. By default, arrays are compared item by item, and other values by `Object.is`.
 */
export function useUsers<F extends object>(room: Room<F> | None): readonly Entry<F>[]
export function useUsers<F extends object, T>(
  room: Room<F> | None,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): T
export function useUsers<T>(
  room: Room | None,
  selector?: (users: readonly Entry[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): T {
  return useRead(room, (room) => room.getSnapshot().users, selector, isEqual)
}

/** Returns all users but our own, or what `selector` returns for them. Compares as `useUsers` does. */
export function useOthers<F extends object>(room: Room<F> | None): readonly Entry<F>[]
export function useOthers<F extends object, T>(
  room: Room<F> | None,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): T
export function useOthers<T>(
  room: Room | None,
  selector?: (users: readonly Entry[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): T {
  return useRead(room, (room) => room.others(), selector, isEqual)
}

/**
 * Returns the user under a key, `undefined` while it is not present, or what `selector` returns for it. Changes of other users render
 * nothing, and cost nothing.
 */
export function useUser<F extends object>(room: Room<F> | None, key: string): Entry<F> | undefined
export function useUser<F extends object, T>(
  room: Room<F> | None,
  key: string,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): T
export function useUser<T>(
  room: Room | None,
  key: string,
  selector?: (user: Entry | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): T {
  return useRead(room, (room) => room.get(key), selector, isEqual, key)
}

/** Returns our own user, `undefined` while it is not known or not present, or what `selector` returns for it. */
export function useSelf<F extends object>(room: Room<F> | None): Entry<F> | undefined
export function useSelf<F extends object, T>(
  room: Room<F> | None,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): T
export function useSelf<T>(
  room: Room | None,
  selector?: (user: Entry | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): T {
  return useRead(room, (room) => room.self, selector, isEqual)
}

/**
 * Returns which of these keys are online in any topic, or what `selector` returns for them: a `Map` of those that are known, with the
 * `status` of the question. The server decides which keys a page may ask about. Compares as `useUsers` does.
 *
 * The keys may be another array in each render. What is known of those that stay is kept. Without keys, nothing is asked.
 *
 * @throws ConfigError if there is no `RollcallProvider` above, and for keys that are no list of strings
 */
export function useOnline(keys: readonly string[] | None): OnlineSnapshot
export function useOnline<T>(
  keys: readonly string[] | None,
  selector: (online: OnlineSnapshot) => T,
  isEqual?: (a: T, b: T) => boolean,
): T
export function useOnline<T>(
  keys: readonly string[] | None,
  selector?: (online: OnlineSnapshot) => T,
  isEqual?: (a: T, b: T) => boolean,
): T {
  const shared = useShared()
  const online = useMemo(() => createHeldOnline(shared, keys), [shared, JSON.stringify(keys)])
  return useRead(online as never, (online) => online.getSnapshot() as never, selector, isEqual)
}

/** Returns the status of a room: `joining`, `live`, `stale` or `closed`. Without a room it is `joining`. */
export function useStatus<F extends object>(room: Room<F> | None): Status {
  return useRead(room, (room) => room.status)
}

/** Returns the function `room.update`. Without a room, the function throws a ConfigError. */
export function useUpdate<F extends object>(room: Room<F> | None): Room<F>["update"] {
  return room?.update ?? refuseCall
}

/** Returns the function `room.broadcast`. Without a room, the function throws a ConfigError. */
export function useBroadcast<F extends object, Name>(room: Room<F, Name> | None): Room<F, Name>["broadcast"] {
  return room?.broadcast ?? refuseCall
}

/** Calls `callback` with the payload of each message of this event. The callback may be another function in each render. */
export function useEvent<F extends object, Name, Event extends keyof EventsOf<Name> & string>(
  room: Room<F, Name> | None,
  event: Event,
  callback: (payload: Received<Name, Event>) => void,
): void
export function useEvent<Payload = unknown>(
  room: Pick<Room<never>, "on"> | None,
  event: string,
  callback: (payload: Payload) => void,
): void
export function useEvent(
  room: Pick<Room<never>, "on"> | None,
  event: string,
  callback: (payload: never) => void,
): void {
  const latest = useRef(callback)
  useEffect(() => {
    latest.current = callback
  })
  useEffect(() => room?.on(event, (payload: never) => latest.current(payload)), [room, event])
}

const nothing = (): void => {}
const refuse = (what: string): never => {
  throw new ConfigError(`expected ${what}, got none`)
}
const useShared = (): Shared => useContext(Context) ?? refuse("a RollcallProvider above")
const refuseCall = (): never => refuse("a room")
const identity = <T>(value: T): T => value

/** What is read where there is no room. */
const none = createInitial<never>({})

function useRead<F extends object, From, T>(
  room: Room<F> | None,
  read: (room: Readable<F>) => From,
  selector: (from: From) => T = identity as never,
  isEqual: (a: T, b: T) => boolean = sameItems,
  key?: string,
): T {
  const [view, initial] = useMemo(() => {
    const subscribe: Source<From>["subscribe"] = (listener) =>
      room
        ? (key === undefined ? room.subscribe : (room.user(key).subscribe as typeof room.subscribe))(listener)
        : nothing
    const of = (shown: Readable<F>): View<T> => select({ getSnapshot: () => read(shown), subscribe }, selector, isEqual)
    const shown = room ?? none
    return [of(shown), of((room as HeldRoom<F> | None)?.initial ?? shown)] as const
  }, [room, key, selector, isEqual])
  const value = useSyncExternalStore(view.subscribe, view.getSnapshot, initial.getSnapshot)
  // A selector that is another function in each render still returns the same value as long as it is equal.
  const last = useRef<readonly [T]>(undefined)
  const shown = last.current && isEqual(last.current[0], value) ? last.current[0] : value
  useEffect(() => {
    last.current = [shown]
  })
  return shown
}
