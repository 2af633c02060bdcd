/** `Presence` of npm phoenix, with which ours is compared. */
// @ts-ignore -- phoenix ships no types.
import { Presence } from "phoenix"
import type { Presence as Ours, PresenceState } from "../../src/client/index.ts"

type Callback = (key: string, current: any, moved: any) => void

export const PhoenixPresence = Presence as {
  new (channel: object): {
    state: PresenceState
    onJoin(callback: Callback): void
    onLeave(callback: Callback): void
    onSync(callback: () => void): void
    list: Ours["list"]
    inPendingSyncState(): boolean
  }
  syncState(state: any, next: any, onJoin?: Callback | null, onLeave?: Callback | null): PresenceState
  syncDiff(state: any, diff: any, onJoin?: Callback | null, onLeave?: Callback | null): PresenceState
  list<T>(state: any, chooser?: (key: string, presence: any) => T): T[]
}
