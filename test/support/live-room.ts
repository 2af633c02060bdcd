/** A room on a scripted transport, whose server is the test. */
import { onTestFinished } from "vitest"
import { connect, type RollcallError, type Room, type RoomOptions } from "../../src/client/index.ts"
import { clock } from "./clock.ts"
import { scriptedTransport } from "./scripted-websocket.ts"

const TOPIC = "rooms:1"

/** A room that is joined and waits for its state, and what its server can send. Errors that it reports are collected. */
export function liveRoom<F extends object = Record<string, unknown>>(options: RoomOptions = {}, timers = clock()) {
  const { transport, latest } = scriptedTransport()
  const connection = connect("ws://example.test/socket", { transport, timers, reconnectAfterMs: () => 0 })
  onTestFinished(() => connection.disconnect())
  const room: Room<F> = connection.room<F>(TOPIC, {}, options)
  const errors: RollcallError[] = []
  room.onError((error) => errors.push(error))
  const receive = (event: string, payload: unknown): void =>
    latest().receive(latest().last("phx_join").joinRef, null, TOPIC, event, payload)
  const join = (): void => {
    latest().open()
    latest().reply(latest().last("phx_join"))
  }
  join()
  return {
    room,
    connection,
    errors,
    timers,
    receive,
    state: (state: object) => receive("presence_state", state),
    diff: (joins: object, leaves: object = {}) =>
      latest().receive(null, null, TOPIC, "presence_diff", { joins, leaves }),
    drop: () => latest().drop(),
    /** Breaks the connection, and joins again on the next one. */
    async rejoin() {
      const former = latest()
      former.drop()
      while (latest() === former) await new Promise((resolve) => setTimeout(resolve))
      join()
    },
  }
}
