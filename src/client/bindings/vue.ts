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
  defineComponent,
  getCurrentInstance,
  getCurrentScope,
  inject,
  markRaw,
  onActivated,
  onDeactivated,
  onMounted,
  provide,
  shallowRef,
  toValue,
  watch,
  type App,
  type ComponentInternalInstance,
  type ComputedRef,
  type DefineSetupFnComponent,
  type InjectionKey,
  type MaybeRefOrGetter,
} from "vue"
import type { Undo } from "../../listeners.ts"
import type { EventsOf, MetaInputOf, MetaOf, PlainTopic, Topic } from "../../room-definition.ts"
import type { ConnectOptions } from "../connect-options.ts"
import type { HeldRoom, HeldRoomOptions, Readable } from "../held-room.ts"
import { createProvided, type Provided, type RollcallProviderProps } from "../provided.ts"
import type { Received, Room } from "../room.ts"
import { sameItems } from "../same-items.ts"
import type { Entry, Status } from "../store.ts"
import { follow, identity, none, refuse, withCopy, type None, type Selecting } from "./reading.ts"

export type { RollcallProviderProps } from "../provided.ts"

/** Options of `useRoom`: `params`, `me`, `initialUsers`, and those of `connection.room`. */
export type UseRoomOptions<
  F extends object = Record<string, unknown>,
  Me extends object = Record<string, unknown>,
> = HeldRoomOptions<F, Me>

type MaybeRoom<F extends object = Record<string, unknown>, Name = string> = MaybeRefOrGetter<Room<F, Name> | None>

const KEY: InjectionKey<{ readonly value: Provided }> = Symbol()

/** The component whose `setup` runs. A store or another `effectScope` in it is not of the component: it may outlive it. */
function componentOf(): ComponentInternalInstance | undefined {
  const instance = getCurrentInstance() as (ComponentInternalInstance & { scope: unknown }) | null
  return instance && instance.scope === getCurrentScope() ? instance : undefined
}

/**
 * Calls `start` while the component is shown, and again when what `source` returns is another value. What it returns is called before
 * that, and at the end. A scope that is not of a component counts as shown, in a page.
 */
function whileShown<T>(source: () => T, start: (value: T) => Undo | undefined): void {
  const isOfComponent = componentOf() !== undefined
  const isShown = shallowRef(!isOfComponent && typeof window !== "undefined")
  if (isOfComponent) {
    const show = (): void => void (isShown.value = true)
    onMounted(show)
    // The user of a page that `KeepAlive` keeps is not there.
    onActivated(show)
    onDeactivated(() => (isShown.value = false))
  }
  watch(
    [source, isShown],
    ([value, isShown], _former, onCleanup) => {
      const end = isShown && start(value as T)
      if (end) onCleanup(end)
    },
    { immediate: true },
  )
}

/**
 * Gives the components in its slot a connection: one of your own, or one to `url`, which is opened with the first room and closed when
 * the provider is unmounted.
 */
export const RollcallProvider: DefineSetupFnComponent<RollcallProviderProps> = defineComponent(
  (props: RollcallProviderProps, { slots }) => {
    // Other options alone are no reason for another connection.
    let options: ConnectOptions | undefined
    const target = computed(() => {
      ;({ options } = props)
      return props.connection ?? props.url
    })
    const provided = computed(() => createProvided(target.value!, options))
    whileShown(
      () => provided.value,
      (provided) => provided.open(),
    )
    provide(KEY, provided)
    return () => slots["default"]?.()
  },
  { name: "RollcallProvider", props: ["connection", "url", "options"] },
)

/** Gives all components of an application a connection: `app.use(RollcallPlugin, { url: "/socket" })`. */
export const RollcallPlugin: { install(app: App, props: RollcallProviderProps): void } = {
  install(app, { connection, url, options }) {
    const value = createProvided(connection ?? url, options)
    app.provide(KEY, { value })
    const end = value.open()
    if (end) app.onUnmount(end)
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
  const provided = inject(KEY, undefined) ?? refuse("a RollcallProvider above, or app.use(RollcallPlugin, …)")
  const given = computed(() => withCopy(toValue(options)))
  const room = computed(() => {
    const name = toValue(topic)
    // A deep proxy would make reads of its users slow, and other objects.
    return typeof name === "string" ? markRaw(provided.value.room(name, given.value)) : undefined
  })
  whileShown(
    () => room.value,
    (room) => {
      if (!room) return
      const release = room.hold()
      const stop = watch(given, ({ me }, former) => room.updateMe(former.me, me))
      return () => {
        stop()
        release()
      }
    },
  )
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
export function useUsers(room: MaybeRoom, ...how: Selecting): ComputedRef {
  return useRead(room, (room) => room.getSnapshot().users, undefined, ...how)
}

/** Returns all users but our own, or what `selector` returns for them, as a ref. Compares as `useUsers` does. */
export function useOthers<F extends object>(room: MaybeRoom<F>): ComputedRef<readonly Entry<F>[]>
export function useOthers<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (users: readonly Entry<F>[]) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useOthers(room: MaybeRoom, ...how: Selecting): ComputedRef {
  return useRead(room, (room) => room.others(), undefined, ...how)
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
export function useUser(room: MaybeRoom, key: MaybeRefOrGetter<string>, ...how: Selecting): ComputedRef {
  return useRead(room, (room, key) => room.get(key!), key, ...how)
}

/** Returns our own user, `undefined` while it is not known or not present, or what `selector` returns for it, as a ref. */
export function useSelf<F extends object>(room: MaybeRoom<F>): ComputedRef<Entry<F> | undefined>
export function useSelf<F extends object, T>(
  room: MaybeRoom<F>,
  selector: (user: Entry<F> | undefined) => T,
  isEqual?: (a: T, b: T) => boolean,
): ComputedRef<T>
export function useSelf(room: MaybeRoom, ...how: Selecting): ComputedRef {
  return useRead(room, (room) => room.self, undefined, ...how)
}

/** Returns the status of a room, as a ref: `joining`, `live`, `stale` or `closed`. Without a room it is `joining`. */
export function useStatus<F extends object>(room: MaybeRoom<F>): ComputedRef<Status> {
  return useRead(room as MaybeRoom, (room) => room.status) as ComputedRef<Status>
}

/** Returns a function that calls `room.update` of the room of that time. Without a room, it throws a ConfigError. */
export function useUpdate<F extends object>(room: MaybeRoom<F>): Room<F>["update"] {
  return (...args) => (toValue(room) ?? refuse("a room")).update(...args)
}

/** Returns a function that calls `room.broadcast` of the room of that time. Without a room, it throws a ConfigError. */
export function useBroadcast<F extends object, Name>(room: MaybeRoom<F, Name>): Room<F, Name>["broadcast"] {
  return (...args) => (toValue(room) ?? refuse("a room")).broadcast(...args)
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

function useRead(
  room: MaybeRoom,
  read: (room: Readable<Record<string, unknown>>, key?: string) => unknown,
  key?: MaybeRefOrGetter<string>,
  selector: (from: never) => unknown = identity,
  isEqual: (a: never, b: never) => boolean = sameItems,
): ComputedRef {
  const version = shallowRef(0)
  /** Whether the component takes over what a server has rendered. What it shows first must be the same. */
  let isHydrating = !!componentOf()?.vnode.el
  whileShown(
    () => [toValue(room), toValue(key)] as const,
    ([room, key]) => {
      isHydrating = false
      version.value++
      return room ? follow(room, key, () => version.value++) : undefined
    },
  )
  return computed((last) => {
    void version.value
    const current = toValue(room) as HeldRoom | None
    const shown = (isHydrating && current?.initial) || current || none
    const value = selector(read(shown, toValue(key)) as never)
    return last !== undefined && isEqual(last as never, value as never) ? last : value
  })
}
