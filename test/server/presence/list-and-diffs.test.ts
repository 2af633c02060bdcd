import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { syncDiff, syncState } from "../../../src/client/reducers.ts"
import { Presence } from "../../../src/server/presence/presence.ts"
import { createTracker } from "../../../src/tracker/tracker.ts"
import type { Diff, Row, Tracker } from "../../../src/tracker/tracker.ts"
import type { PresenceDiff, PresenceState } from "../../../src/wire/presence-payloads.ts"
import { clock } from "../../support/clock.ts"
import { Presence as PhoenixPresence } from "../../support/phoenix-client.ts"

const TOPIC = "rooms:1"
const WINDOW = 50

type Operation = Change | { readonly kind: "list" | "late-read" | "get" | "window-end" }

interface Change {
  readonly kind: "track" | "untrack" | "update" | "node-down" | "node-up"
  readonly pid: string
  readonly key: string
}

const pids = fc.constantFrom("1", "2", "3")
const keys = fc.constantFrom("ada", "bob", "7", "__proto__")
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constantFrom("track", "untrack", "update", "node-down", "node-up"), pid: pids, key: keys }),
  fc.record({ kind: fc.constantFrom("list", "late-read", "get", "window-end") }),
) as fc.Arbitrary<Operation>

/** A tracker that can hide presences for a while, as those of another node are hidden when a network is cut. */
class FlappingTracker {
  readonly #tracker = createTracker()
  readonly #hidden = new Map<string, Row>()
  readonly #listeners: ((diff: Diff) => void)[] = []

  track = this.#tracker.track.bind(this.#tracker)
  update = this.#tracker.update.bind(this.#tracker)
  untrack = this.#tracker.untrack.bind(this.#tracker)
  getByPid = this.#tracker.getByPid.bind(this.#tracker)

  list = (topic: string): readonly Row[] =>
    this.#tracker.list(topic).filter((row) => !this.#hidden.has(row.meta.phx_ref))
  getByKey = (topic: string, key: string): readonly Row[] => this.list(topic).filter((row) => row.key === key)

  onDiff(listener: (diff: Diff) => void): () => void {
    this.#listeners.push(listener)
    return this.#tracker.onDiff(listener)
  }

  isHidden = (row: Row): boolean => this.#hidden.has(row.meta.phx_ref)

  hide(row: Row): void {
    this.#hidden.set(row.meta.phx_ref, row)
    for (const listener of this.#listeners) listener(new Map([[TOPIC, { joins: [], leaves: [row] }]]))
  }

  show(row: Row): void {
    if (!this.#hidden.delete(row.meta.phx_ref)) return
    for (const listener of this.#listeners) listener(new Map([[TOPIC, { joins: [row], leaves: [] }]]))
  }
}

/** The view of a client that has been sent a state at some moment, and all diffs after it. */
interface View {
  ours: PresenceState
  phoenix: object
  /** The only key in its state; `undefined` if the state had all keys. */
  readonly key?: string
}

/** The functions of the official client. */
const phoenix = PhoenixPresence as unknown as {
  syncState(state: object, next: object): object
  syncDiff(state: object, diff: object): object
}

/** Returns a copy, as a client gets it. It is made now, because a list counts as read at the moment of reading. */
const sent = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value

const viewOf = (state: PresenceState): View => ({
  ours: syncState({}, sent(state)),
  phoenix: phoenix.syncState({}, sent(state)),
})

/** Returns the references of each key, sorted, because phoenix.js has another order. */
const refsOf = (state: object): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(state as PresenceState).map(([key, { metas }]) => [
      `key ${key}`,
      metas.map((meta) => meta.phx_ref).sort(),
    ]),
  )

describe("a list that was read inside a window", () => {
  it("is brought up to date by the diffs after it, for any events in any order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
        const timers = clock()
        const tracker = new FlappingTracker()
        const views: View[] = [{ ours: {}, phoenix: {} }]
        const presence = new Presence({
          tracker: tracker as unknown as Tracker,
          timers,
          windowMs: WINDOW,
          maxMetaBytes: 1_000,
          maxMetasPerKey: 100,
          observeSize: () => undefined,
          failed: () => undefined,
          broadcast(_topic: string, diff: PresenceDiff) {
            for (const view of views) {
              view.ours = syncDiff(view.ours, sent(diff))
              view.phoenix = phoenix.syncDiff(view.phoenix, sent(diff))
            }
          },
        })
        let unread: PresenceState[] = []
        const endWindow = async (): Promise<void> => {
          timers.advance(WINDOW)
          await new Promise(setImmediate)
          // A list that is first read after the end of its window is older than the diff that has been sent.
          unread = []
        }
        for (const each of operations) {
          if ("pid" in each) apply(tracker, presence, each)
          else if (each.kind === "window-end") await endWindow()
          else if (each.kind === "list") {
            unread.push(presence.list(TOPIC))
            if (unread.length % 2 === 0) views.push(viewOf(presence.list(TOPIC)))
          } else if (each.kind === "late-read") for (const list of unread.splice(0)) views.push(viewOf(list))
          else if (each.kind === "get") {
            const entry = presence.get(TOPIC, "ada")
            views.push({ ...viewOf(entry === undefined ? {} : { ada: entry }), key: "ada" })
          }
        }
        for (const list of unread) views.push(viewOf(list))
        await endWindow()
        const expected = refsOf(Object.fromEntries(grouped(tracker.list(TOPIC))))
        expect(refsOf(presence.list(TOPIC))).toEqual(expected)
        for (const view of views) {
          const keysOf = (refs: Record<string, string[]>): object =>
            view.key === undefined ? refs : { shown: refs[`key ${view.key}`] ?? [] }
          expect(keysOf(refsOf(view.ours))).toEqual(keysOf(expected))
          expect(keysOf(refsOf(view.phoenix))).toEqual(keysOf(expected))
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

function apply(tracker: FlappingTracker, presence: Presence, { kind, pid, key }: Change): void {
  const channel = { pid, topic: TOPIC }
  const row = tracker.getByPid(pid, TOPIC).find((each) => each.key === key)
  if (kind === "track" && row === undefined) presence.track(channel, key, { n: 1 })
  if (row === undefined) return
  if (kind === "node-up") tracker.show(row)
  if (tracker.isHidden(row)) return
  if (kind === "untrack") presence.untrack(channel, key)
  if (kind === "update") presence.update(channel, key, { n: 2 })
  if (kind === "node-down") tracker.hide(row)
}

function grouped(rows: readonly Row[]): Map<string, { metas: { phx_ref: string }[] }> {
  const groups = new Map<string, { metas: { phx_ref: string }[] }>()
  for (const { key, meta } of rows) groups.set(key, { metas: [...(groups.get(key)?.metas ?? []), meta] })
  return groups
}
