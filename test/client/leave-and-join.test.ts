/** Eight clients that leave and join one topic of our server at almost the same moment, again and again. */
import { expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, type Transport } from "../../src/client/index.ts"
import { serve } from "../support/serve.ts"

const CLIENTS = 8
const TRIES = 320

const server = () =>
  serve<{ name: string }>((server) => {
    server.socket("/socket", { connect: ({ params }) => ({ name: params["name"] ?? "" }) })
    server.channel("rooms:*", {
      join: () => ({ ok: {} }),
      presence: ({ assigns }) => ({ key: assigns.name, meta: {} }),
    })
  })

/** Delays from 0 to 12 ms, the same in each run. */
function* delays() {
  for (let seed = 1; ; seed = (seed * 16_807) % 2_147_483_647) yield seed % 13
}

test.each([
  ["params of their own, so that the second is a new join", true],
  ["the same params, so that the second goes on where the first was left", false],
])("nobody is listed twice after it, and nobody is missing: two joins with %s", async (_name, isAnew) => {
  const { url } = await server()
  const names = Array.from({ length: CLIENTS }, (_, n) => `user-${n}`)
  const pauses = delays()
  const connections = names.map((name) =>
    connect(`${url}/socket`, { params: { name }, transport: WebSocket as unknown as Transport }),
  )
  onTestFinished(() => {
    for (const connection of connections) connection.disconnect()
  })
  for (let n = 1; n <= TRIES / CLIENTS; n++) {
    const topic = `rooms:${n}`
    const rooms = await Promise.all(
      connections.map(async (connection) => {
        const pause = () => new Promise((resolve) => setTimeout(resolve, pauses.next().value!))
        await pause()
        const first = connection.room(topic, { attempt: 1 })
        await pause()
        first.leave()
        return connection.room(topic, { attempt: isAnew ? 2 : 1 })
      }),
    )
    await expect
      .poll(() =>
        rooms.map(({ status, list }) => [status, ...list((key, { metas }) => `${key} ${metas.length}`)].sort()),
      )
      .toEqual(rooms.map(() => ["live", ...names.map((name) => `${name} 1`)].sort()))
    for (const room of rooms) room.leave()
  }
})
