/** Eight clients that leave and join one topic of our server at almost the same moment, again and again. */
import { expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, type Transport } from "../../src/client/index.ts"
import { serve } from "../support/serve.ts"

const TOPIC = "rooms:1"
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
  ["params of their own for each join, so that each is a join of its own", true],
  ["the same params, so that a room goes on where it was left", false],
])("nobody is listed twice after it, and nobody is missing, with %s", async (_name, isAnew) => {
  const { url } = await server()
  const names = Array.from({ length: CLIENTS }, (_, n) => `user-${n}`)
  const pauses = delays()
  const clients = names.map((name) => {
    const connection = connect(`${url}/socket`, {
      params: { name },
      transport: WebSocket as unknown as Transport,
    })
    onTestFinished(() => connection.disconnect())
    return { connection, room: connection.room(TOPIC, { n: 0 }) }
  })
  for (let n = 1; n <= TRIES / CLIENTS; n++) {
    await Promise.all(
      clients.map(async (client) => {
        await new Promise((resolve) => setTimeout(resolve, pauses.next().value!))
        client.room.leave()
        client.room = client.connection.room(TOPIC, { n: isAnew ? n : 0 })
      }),
    )
    await expect
      .poll(() =>
        clients.map(({ room }) => [room.status, [...room.list((key, { metas }) => `${key} ${metas.length}`)].sort()]),
      )
      .toEqual(clients.map(() => ["live", names.map((name) => `${name} 1`)]))
  }
})
