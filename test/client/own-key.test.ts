/** `room.self` by the key that the server names. */
import { expect, it, onTestFinished } from "vitest"
import { connect, type RoomOptions } from "../../src/client/index.ts"
import { clock } from "../support/clock.ts"
import { user } from "../support/presences.ts"
import { scriptedTransport } from "../support/scripted-websocket.ts"

function setup(options: RoomOptions = {}) {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers: clock(), reconnectAfterMs: () => 0 })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1", {}, options)
  const receive = (event: string, payload: unknown): void =>
    latest().receive(latest().last("phx_join").joinRef, null, "rooms:1", event, payload)
  const join = (): void => {
    latest().open()
    latest().reply(latest().last("phx_join"))
  }
  const named = (key: string, phx_ref = "1") => receive("presence_self", { key, phx_ref })
  return { room, latest, receive, join, named }
}

it("is known from the first state on", () => {
  const { room, receive, join, named } = setup()
  const seen: unknown[] = []
  room.subscribe(() => seen.push([room.status, room.self?.key]))
  join()
  named("ada")
  expect(room.self).toBe(undefined)
  receive("presence_state", { ada: user("1"), bob: user("2") })
  expect(seen).toEqual([["live", "ada"]])
  expect(room.self).toBe(room.get("ada"))
})

it("notifies subscribers if the server names it after the state", () => {
  const { room, receive, join, named } = setup()
  join()
  receive("presence_state", { ada: user("1") })
  const before = room.getSnapshot()
  let notified = 0
  room.subscribe(() => notified++)
  named("ada")
  named("ada", "7")
  expect([room.self?.key, notified]).toEqual(["ada", 1])
  expect(room.getSnapshot()).not.toBe(before)
})

it("stays known while the connection is away, and changes if the next join has another key", async () => {
  const { room, latest, receive, join, named } = setup()
  join()
  named("ada")
  receive("presence_state", { ada: user("1") })
  const former = latest()
  former.drop()
  expect([room.status, room.self?.key]).toEqual(["stale", "ada"])
  await expect.poll(() => latest() !== former).toBe(true)
  join()
  expect(room.self?.key).toBe("ada")
  named("ada l", "5")
  receive("presence_state", { ada: user("9"), "ada l": user("5") })
  expect(room.self?.key).toBe("ada l")
})

it("is not needed if the application gave the key, which wins", () => {
  const { room, receive, join, named } = setup({ key: "bob" })
  join()
  named("ada")
  receive("presence_state", { ada: user("1"), bob: user("2") })
  expect(room.self?.key).toBe("bob")
})

it("leaves an application's event of the same name alone: it arrives, whatever its payload", () => {
  const { room, receive, join, named } = setup()
  const received: unknown[] = []
  room.on("presence_self", (payload) => received.push(payload))
  join()
  named("ada")
  for (const payload of [{ key: "bob" }, { key: 1, phx_ref: "2" }, null, "text"]) receive("presence_self", payload)
  receive("presence_state", { ada: user("1"), bob: user("2") })
  expect(room.self?.key).toBe("ada")
  expect(received).toEqual([{ key: "ada", phx_ref: "1" }, { key: "bob" }, { key: 1, phx_ref: "2" }, null, "text"])
})
