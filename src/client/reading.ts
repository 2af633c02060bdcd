/** How the components of a page read rooms, in each UI framework. */
import { ConfigError } from "../error.ts"
import type { Undo } from "../listeners.ts"
import { createInitial, type HeldRoomOptions, type Readable } from "./held-room.ts"
import { copyOf } from "./metas.ts"
import type { Room } from "./room.ts"
import { sameItems } from "./same-items.ts"

export { createHeldOnline, type HeldOnline, type OnlineSnapshot } from "./held-online.ts"

export type None = null | undefined

/** How a part of what is read is chosen, and when that has changed. */
export type Selecting = readonly [selector?: (from: never) => unknown, isEqual?: (a: never, b: never) => boolean]

/** What is read where there is no room: the part of a room that is used to read it. */
export const none: Room & { readonly initial?: Readable<Record<string, unknown>> } = {
  ...createInitial<never>({}),
  subscribe: () => () => {},
  user: () => none,
} as never

export const identity = <T>(value: T): T => value

export function refuse(what: string): never {
  throw new ConfigError(`expected ${what}, got none`)
}

/** The value itself, or what a function returns. */
export function access<T>(value: T | (() => T)): T {
  return typeof value === "function" ? (value as () => T)() : value
}

/** Options with a copy of `me`: of a reactive object, all is read then, and what was sent does not change with it. */
export function withCopy(options: HeldRoomOptions): HeldRoomOptions {
  return { ...options, me: copyOf(options.me) }
}

/** Subscribes to a room, or to one user of it. References alone that changed are no change. */
export function follow(room: Room, key: string | undefined, changed: () => void): Undo {
  const { subscribe } = (key === undefined ? room : room.user(key)) as Room
  return subscribe((isSilent) => {
    if (!isSilent) changed()
  })
}

/**
 * Returns a function that chooses a part of what it is given. What it returns stays the same object as long as it is equal.
 */
export function createChoice([selector = identity, isEqual = sameItems]: Selecting): (from: unknown) => unknown {
  let last: readonly [unknown] | undefined
  return (from) => {
    const value = selector(from as never)
    if (!last || !isEqual(last[0] as never, value as never)) last = [value]
    return last[0]
  }
}

/** Returns the function of this name that calls that of the room that `read` returns for `given` at that time. */
export function callOf<Given, F extends object, Name, Call extends "update" | "broadcast">(
  read: (given: Given) => Room<F, Name> | None,
  given: Given,
  name: Call,
): Room<F, Name>[Call] {
  return (...args: readonly unknown[]) => {
    const call = (read(given) ?? refuse("a room"))[name] as (...args: readonly unknown[]) => never
    return call(...args)
  }
}
