/** A server that stops answering without closing its connections. */
import { expect, it, onTestFinished } from "vitest"
import { WebSocket } from "ws"
import { connect, type Room, type Transport } from "../../src/client/index.ts"
import { startDemoServer } from "../support/demo-server.ts"

const reaches = (room: Room, isReached: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const undo = room.subscribe(check)
    function check(): void {
      if (!isReached()) return
      undo()
      resolve()
    }
    check()
  })

it("makes rooms stale after an unanswered heartbeat; they are live again when the server goes on", async () => {
  const server = await startDemoServer()
  onTestFinished(() => server.kill())
  const connection = connect(`${server.url.replace("http", "ws")}/socket`, {
    transport: WebSocket as unknown as Transport,
    params: { userId: "ada" },
    heartbeatIntervalMs: 1_000,
  })
  onTestFinished(() => connection.disconnect())
  const room = connection.room("rooms:1")
  const isLive = (): boolean => room.status === "live" && room.get("ada")?.metas.length === 1
  await reaches(room, isLive)
  server.freeze()
  await reaches(room, () => room.status === "stale")
  expect(connection.status).toBe("reconnecting")
  server.thaw()
  await reaches(room, isLive)
})
