/**
 * A room as the components of a page have it: it can be read before it is joined, and it is joined while a component holds it. The
 * bindings of UI frameworks are made of it.
 */
import type { Undo } from "../listeners.ts"
import { systemClock } from "../timers.ts"
import type { Connection } from "./connection.ts"
import { isPromise, valueOf } from "./given.ts"
import { same } from "./metas.ts"
import type { Params } from "./params.ts"
import type { Room } from "./room.ts"
import type { RoomOptions } from "./room-options.ts"
import type { ChangeListener, Entry, Snapshot } from "./store.ts"
import { select, type View } from "./view.ts"

/**
 * For how long a room that `ready` or `joined` has joined is held after that, in milliseconds. A component that waits for it holds it
 * only once it is shown.
 */
const AWAITED_MS = 1000

/** For how long a room may be taken again with the view that it had, in milliseconds. `rooms.ts` keeps its topic joined as long. */
const LINGER_MS = 50

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
  "status" | "size" | "self" | "isLost" | "invalidCount" | "getSnapshot" | "get" | "list" | "others"
>

export type HeldRoom<F extends object = Record<string, unknown>, Name = string> = Room<F, Name> & {
  /** What a server renders, and what is shown until the first view comes. It never changes. */
  readonly initial: Readable<F>
  /** The options of the next join. They may be written. */
  readonly options: HeldRoomOptions<F>
  /** Holds the room until the returned function is called. */
  readonly hold: () => Undo
  /** Sends the fields of `me` that are not as in `former` by `update`; those that are missing as `undefined`. */
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
    isLost: false,
    invalidCount: 0,
    getSnapshot: () => snapshot,
    list: <T>(chooser = (_: string, user: Entry<F>) => user as T) => users.map((user) => chooser(user.key, user)),
    others: () => others,
  }
}

/**
 * Returns the room of a topic, which is joined as long as it is held or subscribed to. Until its first view comes, it shows
 * `options.initialUsers`.
 *
 * It is given up after the current turn of the event loop, because frameworks stop and start effects in one turn: React's
 * StrictMode does, and each edit of a component.
 *
 * @param left called a while after the last holder is gone, unless there is another one
 */
function createHeldRoom<F extends object>(
  connection: Connection,
  topic: string,
  given: HeldRoomOptions<F>,
  left: () => void,
): HeldRoom<F> {
  const initial = createInitial(given)
  const options = { ...given }
  /** The last room. It is closed if there are no holders. */
  let room: Room<F> | undefined
  let holders = 0
  /** The timer of a room that was left, and may be taken again. */
  let lingering: unknown
  let awaited: { ready?: Promise<never>; joined?: Promise<never> } = {}

  /** The params of each join: those that were given last. */
  const params = (): object => {
    const given = valueOf(options.params)
    const withMe = (params: unknown): object => ({ ...(params as object), ...(options.me && { me: options.me }) })
    return isPromise(given) ? given.then(withMe) : withMe(given)
  }

  const take = (): Room<F> => {
    const { params: _params, me: _me, initialUsers: _users, ...roomOptions } = options
    return connection.room(topic, params, roomOptions)
  }

  const release = (): void => {
    if (--holders > 0) return
    room!.leave()
    awaited = {}
    lingering = systemClock.set(() => {
      lingering = undefined
      left()
    }, LINGER_MS)
  }

  const hold = (): Undo => {
    if (holders === 0) {
      room = take()
      systemClock.clear(lingering)
      lingering = undefined
    }
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

  /** A component that waits for the first join has no effects yet that could hold the room. */
  const settled = (name: "ready" | "joined"): Promise<unknown> => {
    if (holders > 0) return room![name]
    const promise = (awaited[name] ??= Promise.resolve().then(() => {
      const release = hold()
      const outcome = room![name] as Promise<never>
      const end = (): unknown => systemClock.set(release, AWAITED_MS)
      outcome.then(end, end)
      return outcome
    }))
    // As that of a room, its rejection need not be handled.
    promise.catch(() => {})
    return promise
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
    user: (key: string): View<unknown> => ({
      getSnapshot: () => held.get(key),
      subscribe: (listener) =>
        attach((room) => {
          const undo = room.user(key).subscribe(listener)
          // The room does not notify of a user that is among the initial ones only.
          const undoInitial = room.subscribe(() => {
            if (!isShown()) return
            undoInitial()
            if (initial.get(key) && !room.get(key)) listener()
          })
          return () => {
            undo()
            undoInitial()
          }
        }),
    }),
    select: (...how: [never]) => select(held, ...how),
    onChange: (listener: ChangeListener<F>, how?: { silent?: boolean }) =>
      attach((room) =>
        room.onChange((changes, cause) => {
          // Who follows the changes has begun with the initial users.
          const gone = cause === "initial" ? initial.list().filter(({ key }) => !room.get(key)) : []
          const leaves = gone.map((previous) => ({ type: "leave", key: previous.key, previous }) as const)
          listener(changes.concat(leaves), cause)
        }, how),
      ),
    updateMe(former: Me = {}, me: Me = {}) {
      const changed = Object.keys({ ...former, ...me }).filter((field) => !same(former[field], me[field]))
      if (changed.length > 0 && held.status !== "closed")
        held.update(Object.fromEntries(changed.map((field) => [field, me[field]])) as Partial<F>)
    },
    leave: () => room?.leave(),
  }
  for (const name of ["subscribe", "onError", "on"] as const) {
    own[name] = (...args: [never, never]) => attach((room) => room[name](...args))
  }
  for (const name of ["update", "push", "broadcast"] as const) {
    own[name] = (...args: readonly unknown[]) => {
      // An effect of a child runs before that of the component that holds the room. A room that was left for good stays closed.
      if (!room || lingering !== undefined) hold()()
      const call = room![name] as (...args: readonly unknown[]) => unknown
      return call(...args)
    }
  }

  // Everything else is the room's, but what is read before the first view.
  const held = new Proxy(own, {
    get(own, name) {
      const isRead = !room || (name in initial && !isShown())
      return Reflect.get(name in own ? own : isRead ? initial : room!, name) as unknown
    },
  }) as unknown as HeldRoom<F>
  return held
}

/** Returns a function that returns the held room of a topic, with these options for its next join. It is the same one while it is held. */
export function createHeldRooms(connection: Connection): (topic: string, options: HeldRoomOptions) => HeldRoom {
  const rooms = new Map<string, HeldRoom>()
  return (topic, options) => {
    const room = rooms.get(topic) ?? createHeldRoom(connection, topic, options, () => rooms.delete(topic))
    rooms.set(topic, room)
    Object.assign(room.options, options)
    return room
  }
}
