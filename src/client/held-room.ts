/**
 * A room as the components of a page have it: it can be read before it is joined, and it is joined while a component holds it. The
 * bindings of UI frameworks are made of it.
 */
import type { Undo } from "../listeners.ts"
import { systemClock } from "../timers.ts"
import type { Connection } from "./connection.ts"
import { same } from "./metas.ts"
import type { Params } from "./params.ts"
import type { Room } from "./room.ts"
import type { RoomOptions } from "./room-options.ts"
import type { Entry, Snapshot } from "./store.ts"
import { select, type View } from "./view.ts"

/**
 * For how long a room that `ready` or `joined` has joined is held after that, in milliseconds. A component that waits for it holds it
 * only once it is shown.
 */
const AWAITED_MS = 1000

/** Options of a room that components hold. */
export type HeldRoomOptions<
  F extends object = Record<string, unknown>,
  Me extends object = Record<string, unknown>,
> = RoomOptions & {
  /** Params of the join, as for `connection.room`. */
  params?: Params | undefined
  /** What we say of ourselves with the join. When it changes later, `update` sends the fields that changed. */
  me?: Me | undefined
  /** The users to show until the first view comes, such as those that the server has rendered. Default none. */
  initialUsers?: readonly Entry<F>[] | undefined
}

type Me = Readonly<Record<string, unknown>> | undefined

/** The part of a room that is read. */
export type Readable<F extends object> = Pick<
  Room<F>,
  "status" | "size" | "self" | "getSnapshot" | "get" | "list" | "others"
>

export type HeldRoom<F extends object = Record<string, unknown>, Name = string> = Room<F, Name> & {
  /** What a server renders, and what is shown until the first view comes. It never changes. */
  readonly initial: Readable<F>
  /** The options of the next join. They may be written. */
  readonly options: HeldRoomOptions<F>
  /** Holds the room until the returned function is called. */
  readonly hold: () => Undo
  /** Sends the fields of `me` that are not as in `former` by `update`. */
  readonly updateMe: (former: Me, me: Me) => void
}

/** Returns the view of these users. It never changes. */
export function createInitial<F extends object>({ key, initialUsers: users = [] }: HeldRoomOptions<F>): Readable<F> {
  const get = (key: string | undefined): Entry<F> | undefined => users.find((user) => user.key === key)
  const others = users.filter((user) => user.key !== key)
  const snapshot: Snapshot<F> = { status: "joining", size: users.length, users, get }
  return {
    ...snapshot,
    self: get(key),
    getSnapshot: () => snapshot,
    list: <T>(chooser = (_: string, user: Entry<F>) => user as T) => users.map((user) => chooser(user.key, user)),
    others: () => others,
  } as Readable<F>
}

/**
 * Returns the room of a topic, which is joined as long as it is held or subscribed to. Until its first view comes, it shows
 * `options.initialUsers`.
 *
 * It is given up after the current turn of the event loop, because frameworks stop and start effects in one turn: React's
 * StrictMode does, and each edit of a component.
 *
 * @param closed called when nothing holds the room any more
 */
export function createHeldRoom<F extends object>(
  connection: Connection,
  topic: string,
  given: HeldRoomOptions<F>,
  closed: () => void,
): HeldRoom<F> {
  const initial = createInitial(given)
  const options = { ...given }
  /** The last room. It is closed if there are no holders. */
  let room: Room<F> | undefined
  let holders = 0
  let awaited: { ready?: Promise<never>; joined?: Promise<never> } = {}

  const take = (): Room<F> => {
    const { params, me, initialUsers: _, ...roomOptions } = options
    return connection.room(topic, me ? { ...params, me } : params, roomOptions)
  }

  const release = (): void => {
    if (--holders > 0) return
    room!.leave()
    awaited = {}
    closed()
  }

  const hold = (): Undo => {
    if (holders === 0) room = take()
    holders++
    return () => queueMicrotask(release)
  }

  /** Registers something with the room, and holds it as long. */
  const attach = (to: (room: Room<F>) => Undo): Undo => {
    const release = hold()
    const undo = to(room!)
    return () => {
      undo()
      release()
    }
  }

  const viewOf = <T>(getSnapshot: () => T, ofRoom: (room: Room<F>) => View<T>): View<T> => ({
    getSnapshot,
    subscribe: (listener) =>
      attach((room) => {
        // The room does not notify of users that are among the initial ones only.
        if (!isShown()) room.ready.then(listener, listener)
        return ofRoom(room).subscribe(listener)
      }),
  })

  /** A component that waits for the first join has no effects yet that could hold the room. */
  const settled = (name: "ready" | "joined"): Promise<unknown> => {
    if (holders > 0) return room![name]
    return (awaited[name] ??= Promise.resolve().then(() => {
      const release = hold()
      const outcome = room![name] as Promise<never>
      const end = (): unknown => systemClock.set(release, AWAITED_MS)
      outcome.then(end, end)
      return outcome
    }))
  }

  const isShown = (): boolean => holders > 0 && room!.status !== "joining"

  const own: Record<PropertyKey, unknown> = {
    topic,
    initial,
    options,
    hold,
    get ready() {
      if (typeof window !== "undefined") return settled("ready")
      // React reads a promise with these fields at once, so that a server renders what it has.
      const value = initial.getSnapshot()
      return (awaited.ready ??= Object.assign(Promise.resolve(value as never), { status: "fulfilled", value }))
    },
    get joined() {
      return settled("joined")
    },
    user: (key: string) =>
      viewOf(
        () => held.get(key),
        (room) => room.user(key),
      ),
    select: (...how: [never]) =>
      viewOf(select({ getSnapshot: held.getSnapshot, watch: held.subscribe }, ...how).getSnapshot, (room) =>
        room.select(...how),
      ),
    updateMe(former: Me, me: Me = {}) {
      const changed = Object.entries(me).filter(([field, value]) => !same(value, former?.[field]))
      if (changed.length > 0 && held.status !== "closed") held.update(Object.fromEntries(changed) as Partial<F>)
    },
    leave: () => room?.leave(),
  }
  for (const name of ["subscribe", "onChange", "onError", "on"] as const) {
    own[name] = (...args: [never, never]) => attach((room) => room[name](...args))
  }
  for (const name of ["update", "push", "broadcast"] as const) {
    own[name] = (...args: unknown[]) => {
      // An effect of a child runs before that of the component that holds the room.
      if (!room) hold()()
      return (room![name] as (...args: unknown[]) => unknown)(...args)
    }
  }

  // Everything else is the room's, but what is read before the first view.
  const held = new Proxy(own, {
    get(own, name) {
      const isRead = !room || (name in initial && !isShown())
      return Reflect.get(name in own ? own : isRead ? initial : room!, name)
    },
  }) as unknown as HeldRoom<F>
  return held
}
