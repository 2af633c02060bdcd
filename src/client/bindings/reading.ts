/** How the bindings of Vue, Svelte and Solid read rooms. */
import { ConfigError } from "../../error.ts"
import type { Undo } from "../../listeners.ts"
import { createInitial, type HeldRoomOptions, type Readable } from "../held-room.ts"
import { copyOf } from "../metas.ts"
import type { Room } from "../room.ts"
import type { View } from "../view.ts"

export type None = null | undefined

/** How a part of what is read is chosen, and when that has changed. */
export type Selecting = [selector?: (from: never) => unknown, isEqual?: (a: never, b: never) => boolean]

/** What is read where there is no room. */
export const none: Readable<never> = createInitial<never>({})

/** Subscribes to a room, or to one user of it. References alone that changed are no change. */
export function follow<F extends object>(room: Room<F>, key: string | undefined, changed: () => void): Undo {
  const { subscribe } = (key === undefined ? room : room.user(key)) as View<unknown>
  return (subscribe as Room["subscribe"])((isSilent) => {
    if (!isSilent) changed()
  })
}

/** Options with a copy of `me`: of a reactive object, all is read then, and what was sent does not change with it. */
export const withCopy = (options: HeldRoomOptions): HeldRoomOptions => ({ ...options, me: copyOf(options.me) })

/** The value itself, or what a function returns. */
export function access<T>(value: T | (() => T)): T {
  return typeof value === "function" ? (value as () => T)() : value
}

export function refuse(what: string): never {
  throw new ConfigError(`expected ${what}, got none`)
}

export const identity = (value: unknown): unknown => value
