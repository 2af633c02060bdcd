/** phoenix.js's own `Presence`, which writes into the payloads that it gets, on the same channel as ours. */
import fc from "fast-check"
import { expect, it, onTestFinished } from "vitest"
import { connect, Presence, Socket, type Channel } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { PhoenixPresence } from "../support/phoenix.ts"
import { meta } from "../support/presences.ts"
import { scriptedTransport, type ScriptedWebSocket } from "../support/scripted-websocket.ts"

type Users = Record<string, { metas: object[] }>

const refs = fc.uniqueArray(fc.constantFrom("1", "2", "3"), { maxLength: 3 })
const state = fc
  .dictionary(fc.constantFrom("ada", "bob"), refs)
  .map((users): Users =>
    Object.fromEntries(
      Object.entries(users).flatMap(([key, all]) => (all.length === 0 ? [] : [[key, user(key, all)]])),
    ),
  )
const frame = fc.oneof(
  state.map((payload) => ["presence_state", payload] as const),
  fc.record({ joins: state, leaves: state }).map((payload) => ["presence_diff", payload] as const),
)

const user = (key: string, all: readonly string[]) => ({ metas: all.map((ref) => meta(key + ref, { name: key })) })

const viewOf = (list: (chooser: (key: string, user: any) => unknown) => readonly unknown[]): unknown =>
  Object.fromEntries(
    list((key, { metas }) => [key, metas.map((each: { phx_ref: string }) => each.phx_ref).sort()]) as [
      string,
      string[],
    ][],
  )

/** Plays frames to a channel that is joined. */
function play(socket: ScriptedWebSocket, topic: string, frames: readonly (readonly [string, unknown])[]): void {
  const { joinRef } = socket.last("phx_join")
  for (const [event, payload] of frames) {
    socket.receive(event === "presence_state" ? joinRef : null, null, topic, event, payload)
  }
}

function joined(): { channel: Channel; socket: ScriptedWebSocket } {
  const { transport, latest } = scriptedTransport()
  const socket = new Socket("ws://example.test/socket", { transport })
  socket.connect()
  onTestFinished(() => socket.disconnect())
  latest().open()
  const channel = socket.channel("rooms:1")
  channel.join()
  latest().reply(latest().last("phx_join"))
  return { channel, socket: latest() }
}

const ORDERS = ["before", "after", "before and after the first state"] as const

it.each(ORDERS)("bound %s ours, neither changes what the other one shows", (order) => {
  fc.assert(
    fc.property(state, fc.array(frame, { maxLength: 6 }), (first, frames) => {
      const [both, alone] = [joined(), joined()]
      const theirsAlone = new PhoenixPresence(alone.channel)
      const oursAlone = joined()
      const begin = [["presence_state", first] as const]
      let ours: Presence | undefined
      if (order === "after") ours = new Presence(both.channel)
      const theirs = new PhoenixPresence(both.channel)
      if (order === "before") ours = new Presence(both.channel)
      play(both.socket, "rooms:1", begin)
      play(alone.socket, "rooms:1", begin)
      let reference: Presence
      if (ours) {
        reference = new Presence(oursAlone.channel)
        play(oursAlone.socket, "rooms:1", begin)
      } else {
        play(oursAlone.socket, "rooms:1", begin)
        ours = new Presence(both.channel)
        reference = new Presence(oursAlone.channel)
      }
      ours.store.getSnapshot()
      for (const { socket } of [both, alone, oursAlone]) play(socket, "rooms:1", structuredClone(frames))
      expect(viewOf((chooser) => ours.list(chooser))).toEqual(viewOf((chooser) => reference.list(chooser)))
      expect(viewOf((chooser) => theirs.list(chooser))).toEqual(viewOf((chooser) => theirsAlone.list(chooser)))
    }),
    { numRuns: 50 },
  )
})

it("on the channel of a room, also of one that was left and taken again, does not change its view", () => {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers: clock() })
  onTestFinished(() => connection.disconnect())
  const first = connection.room("rooms:1")
  latest().open()
  latest().reply(latest().last("phx_join"))
  const theirs = new PhoenixPresence(connection.socket.channels[0]!)
  play(latest(), "rooms:1", [["presence_state", { ada: user("ada", ["1"]) }]])
  first.leave()
  const room = connection.room("rooms:1")
  play(latest(), "rooms:1", [["presence_state", { ada: user("ada", ["1", "2"]) }]])
  expect(viewOf((chooser) => room.list(chooser))).toEqual({ ada: ["ada1", "ada2"] })
  expect(viewOf((chooser) => theirs.list(chooser))).toEqual({ ada: ["ada1", "ada2"] })
})
