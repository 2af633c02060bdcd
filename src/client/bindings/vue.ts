/**
 * Composables that show the users of a room, for Vue 3.5.
 *
 * ```vue
 * <script setup lang="ts">
 * import { useRoom, useUsers } from "rollcall/vue"
 *
 * const room = useRoom<{ name: string }>("rooms:1", { me: { name: "Ada" } })
 * const users = useUsers(room)
 * </script>
 *
 * <template>
 *   <p v-for="user in users" :key="user.key">{{ user.metas[0].name }}</p>
 * </template>
 * ```
 *
 * In `main.ts`: `createApp(App).use(RollcallPlugin, { url: "/socket" }).mount("#app")`. All arguments may be refs or getters. All
 * composables that take a room take `undefined`, too.
 *
 * @packageDocumentation
 */
import {
  computed,
  getCurrentInstance,
  inject,
  markRaw,
  provide,
  shallowRef,
  toRaw,
  toValue,
  watch,
  type App,
  type ComputedRef,
  type DefineSetupFnComponent,
  type InjectionKey,
  type MaybeRefOrGetter,
  type SetupContext,
} from "vue"
import type { EventsOf, MetaInputOf, MetaOf, PlainTopic, Topic } from "../../room-definition.ts"
import type { HeldRoom, HeldRoomOptions, Readable } from "../held-room.ts"
import { createProvided, type Provided, type RollcallProviderProps } from "../provided.ts"
import {
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
import { whileShown } from "./vue-shown.ts"

export type { OnlineSnapshot } from "../reading.ts"
export type { RollcallProviderProps } from "../provided.ts"

/** Options of `useRoom`: `params`, `me`, `initialUsers`, and those of `connection.room`. */
export type UseRoomOptions<
  F extends object = Record<string, unknown>,
  Me extends object = Record<string, unknown>,
> = HeldRoomOptions<F, Me>

type MaybeRoom<F extends object = Record<string, unknown>, Name = string> = MaybeRefOrGetter<Room<F, Name> | None>
type Keys = MaybeRefOrGetter<readonly string[] | None>

const KEY: InjectionKey<{ readonly value: Provided }> = Symbol()

/**
 * Gives the components in its slot a connection: one of your own, or one to `url`, which is opened with the first room and closed when
 * the provider is unmounted.
 */
export const RollcallProvider: DefineSetupFnComponent<RollcallProviderProps> = {
  name: "RollcallProvider",
  props: ["connection", "url", "options"],
  setup(props: RollcallProviderProps, { slots }: SetupContext) {
    const provided = computed(() => providedBy(props))
    whileShown(provided, (provided) => provided.open())
    provide(KEY, provided)
    return () => slots["default"]?.()
  },
} as never

/** Gives all components of an application a connection: `app.use(RollcallPlugin, { url: "/socket" })`. */
export const RollcallPlugin: { install(app: App, props: RollcallProviderProps): void } = {
  install(app, props) {
    const value = providedBy(props)
    app.provide(KEY, { value })
    app.onUnmount(value.open())
  },
}

/**
 * Returns the room of a topic, as a ref. It is joined while the component is shown, and left 50 ms after the last component with this
 * topic is gone. Until its first view comes, it shows `initialUsers` or no users, and its status is `joining`.
 *
 * Without a topic, the room is `undefined`. Only another topic joins anew: other options are used for the next join, and a changed
 * `me` is sent by `update`.
 *
 * @throws ConfigError if no plugin or provider gives a connection
 */
export function useRoom<Name extends Topic>(
  topic: Name,
  options?: MaybeRefOrGetter<UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>>,
): ComputedRef<Room<MetaOf<Name>, Name>>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: PlainTopic,
  options?: MaybeRefOrGetter<UseRoomOptions<F, Partial<F>>>,
): ComputedRef<Room<F>>
export function useRoom<Name extends Topic>(
  topic: MaybeRefOrGetter<Name | None>,
  options?: MaybeRefOrGetter<UseRoomOptions<MetaOf<Name>, MetaInputOf<Name>>>,
): ComputedRef<Room<MetaOf<Name>, Name> | undefined>
export function useRoom<F extends object = Record<string, unknown>>(
  topic: MaybeRefOrGetter<PlainTopic | None>,
  options?: MaybeRefOrGetter<UseRoomOptions<F, Partial<F>>>,
): ComputedRef<Room<F> | undefined>
export function useRoom(
  topic: MaybeRefOrGetter<string | None>,
  options: MaybeRefOrGetter<HeldRoomOptions> = {},
): ComputedRef<Room | undefined> {
  const provided = injected()
  const given = computed(() => withCopy(toValue(options)))
  const room = computed(() => {
    const name = toValue(topic)
    // A deep proxy would make reads of its users slow, and other objects.
    if (typeof name === "string") return markRaw(provided.value.room(name, given.value))
    return undefined
  })
  whileShown(room, (room) => {
    if (!room) return
    const release = room.hold()
    const stop = watch(given, ({ me }, former) => room.updateMe(former.me, me))
    return () => {
      stop()
      release()
    }
  })
  return room
}

/**
 * Returns the users of a room, or what `selector` returns for them, as a ref. It changes when `isEqual` is false for the last value and
 * the new one. By default, arrays are compared item by item, and other values by `Object.is`. The selector may read refs.
 */
export function useUsers<F extends object>(room: MaybeRoom<F>): ComputedRef<readonly Entry<F>[]>
export function useUsers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useUsers(room: MaybeRoom, ...how: Selecting): ComputedRef<unknown> {
  return useRead(room, (room) => room.getSnapshot().users, how)
}

/** Returns all users but our own, or what `selector` returns for them, as a ref. Compares as `useUsers` does. */
export function useOthers<F extends object>(room: MaybeRoom<F>): ComputedRef<readonly Entry<F>[]>
export function useOthers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useOthers(room: MaybeRoom, ...how: Selecting): ComputedRef<unknown> {
  return useRead(room, (room) => room.others(), how)
}

/**
 * Returns the user under a key, `undefined` while it is not present, or what `selector` returns for it, as a ref. Changes of other users
 * cost nothing.
 */
export function useUser<F extends object>(
  room: MaybeRoom<F>,
  key: MaybeRefOrGetter<string>,
): ComputedRef<Entry<F> | undefined>
export function useUser<F extends object, T>(
  room: MaybeRoom<F>,
  key: MaybeRefOrGetter<string>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useUser(room: MaybeRoom, key: MaybeRefOrGetter<string>, ...how: Selecting): ComputedRef<unknown> {
  return useRead(room, (room, key) => room.get(key!), how, key)
}

/** Returns our own user, `undefined` while it is not known or not present, or what `selector` returns for it, as a ref. */
export function useSelf<F extends object>(room: MaybeRoom<F>): ComputedRef<Entry<F> | undefined>
export function useSelf<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useSelf(room: MaybeRoom, ...how: Selecting): ComputedRef<unknown> {
  return useRead(room, (room) => room.self, how)
}

/**
 * Returns which of these keys are online in any topic, or what `selector` returns for them, as a ref: a `Map` of those that are known,
 * with the `status` of the question. The server decides which keys a page may ask about. Without keys, nothing is asked.
 *
 * @throws ConfigError if no plugin or provider gives a connection, and for keys that are no list of strings
 */
export function useOnline(keys: Keys): ComputedRef<OnlineSnapshot>
export function useOnline<T>(
  keys: Keys,
  selector: (online: OnlineSnapshot) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useOnline(keys: Keys, ...how: Selecting): ComputedRef<unknown> {
  const provided = injected()
  const online = () => createHeldOnline(provided.value, toValue(keys))
  return useRead(online as never, (online) => online.getSnapshot(), how)
}

/** Returns the status of a room, as a ref: `joining`, `live`, `stale` or `closed`. Without a room it is `joining`. */
export function useStatus<F extends object>(room: MaybeRoom<F>): ComputedRef<Status> {
  return useRead(room as MaybeRoom, (room) => room.status) as ComputedRef<Status>
}

/** Returns a function that calls `room.update` of the room of that time. Without a room, it throws a ConfigError. */
export function useUpdate<F extends object>(room: MaybeRoom<F>): Room<F>["update"] {
  return callOf(toValue<Room<F> | None>, room, "update")
}

/** Returns a function that calls `room.broadcast` of the room of that time. Without a room, it throws a ConfigError. */
export function useBroadcast<F extends object, Name>(room: MaybeRoom<F, Name>): Room<F, Name>["broadcast"] {
  return callOf(toValue<Room<F, Name> | None>, room, "broadcast")
}

/** Calls `callback` with the payload of each message of this event, while the component is shown. */
export function useEvent<F extends object, Name, Event extends keyof EventsOf<Name> & string>(
  room: MaybeRoom<F, Name>,
  event: Event,
  callback: (payload: Received<Name, Event>) => void,
): void
export function useEvent<Payload = unknown>(
  room: MaybeRefOrGetter<Pick<Room<never>, "on"> | None>,
  event: string,
  callback: (payload: Payload) => void,
): void
export function useEvent(
  room: MaybeRefOrGetter<Pick<Room<never>, "on"> | None>,
  event: string,
  callback: (payload: never) => void,
): void {
  whileShown(
    () => toValue(room),
    (room) => room?.on(event, callback),
  )
}

/** Other options alone are no reason for another connection: they are not tracked. */
const providedBy = (props: RollcallProviderProps): Provided =>
  createProvided(props.connection ?? props.url, toRaw(props).options)

const injected = (): { readonly value: Provided } => inject(KEY, null) ?? refuse("RollcallPlugin or RollcallProvider")

function useRead(
  room: MaybeRoom,
  read: (room: Readable<Record<string, unknown>>, key?: string) => unknown,
  how: Selecting = [],
  key?: MaybeRefOrGetter<string>,
): ComputedRef<unknown> {
  const choose = createChoice(how)
  /** How often what is read may have changed. While it is 0, the component is not shown yet. */
  const version = shallowRef(0)
  /** Whether the component takes over what a server has rendered. What it shows first must be the same. */
  const isHydrated = getCurrentInstance()?.vnode.el as boolean | undefined
  const source = computed(() => [(toValue(room) as HeldRoom | None) ?? none, toValue(key)] as const)
  whileShown(source, ([room, key]) => {
    version.value++
    return follow(room, key, () => version.value++)
  })
  return computed(() => {
    const [room, key] = source.value
    return choose(read((!version.value && isHydrated && room.initial) || room, key))
  })
}
