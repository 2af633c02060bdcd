import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import type { Inlet, Server } from "../../../src/server/index.ts"
import { until } from "../../support/until.ts"

// Whatever a client sends, and in any order, the server answers in frames that can be parsed, or closes the connection.
// There is no network here, so that many runs are possible. An exception or an unhandled rejection fails the run.

const quiet = { warn: () => undefined, error: () => undefined }

function hostileServer(): Server {
  const server = createServer({ logger: quiet, presenceWindowMs: false, maxQueuedFrames: 20, maxChannels: 3 })
  const { presence } = server
  server.socket("/socket")
  server.channel("*", {
    join: (_topic, params) => (params["late"] === true ? Promise.resolve({ ok: params }) : { ok: params }),
    joined(channel) {
      presence.track(channel, channel.topic)
      channel.push("presence_state", presence.list(channel.topic))
    },
    on: {
      echo: (payload) => ({ ok: payload }),
      late: async (payload) => ({ ok: payload }),
      shout: (payload, channel) => channel.broadcast("shout", payload),
      update: (payload, channel) => presence.handleUpdate(channel, payload),
      track: (payload, channel) => void presence.track(channel, payload as string),
      stop: (_payload, channel) => channel.stop(),
      answer: (payload) => payload as { ok: unknown },
    },
    out: { intercepted: (payload, channel) => channel.push("shout", payload) },
  })
  return server
}

interface Connection {
  readonly inlet: Inlet
  readonly sent: (string | Uint8Array)[]
  readonly closed: () => boolean
}

async function connect(server: Server, vsn: string): Promise<Connection> {
  const url = new URL("http://localhost/socket/websocket")
  const { signal } = new AbortController()
  const admission = await server.endpoint.admit({
    path: "/socket",
    params: { vsn },
    headers: {},
    address: "",
    url,
    signal,
  })
  if (!admission.ok) throw new Error(admission.reason)
  const sent: (string | Uint8Array)[] = []
  let code: number | undefined
  const inlet = admission.open({ send: ({ data }) => sent.push(data), close: (with_) => void (code = with_) })
  return { inlet, sent, closed: () => code !== undefined }
}

const topic = fc.constantFrom<unknown>("a", "b", "c", "d", "phoenix", "__proto__", "", null, 5, ["a"])
const ref = fc.constantFrom<unknown>("1", "2", null, 1, { a: 1 })
const known = ["heartbeat", "echo", "late", "shout", "update", "track", "stop", "answer", "intercepted"]
const event = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<unknown>("phx_join", "phx_join", "phx_leave") },
  { weight: 5, arbitrary: fc.constantFrom<unknown>(...known) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>("phx_reply", "constructor", null, 7) },
)
const payload = fc.oneof(fc.constantFrom({}, { late: true }, { meta: { a: 1 } }, null), fc.jsonValue())

const frame = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(ref, ref, topic, event, payload) },
  { weight: 1, arbitrary: fc.array(fc.jsonValue(), { maxLength: 6 }) },
)

/** Encodes a message in the version of its connection. */
function written(parts: readonly unknown[], vsn: string): string {
  const [joinRef, ref, topic, event, payload] = parts
  return JSON.stringify(vsn === "2.0.0" ? parts : { join_ref: joinRef, ref, topic, event, payload })
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe.each(["1.0.0", "2.0.0"])("a hostile client of version %s", (vsn) => {
  it("is answered in frames that can be parsed, or is closed; another client is served meanwhile", async () => {
    const play = async (frames: readonly (readonly unknown[])[]): Promise<void> => {
      const server = hostileServer()
      const [hostile, neighbour] = [await connect(server, vsn), await connect(server, "2.0.0")]
      neighbour.inlet.receive('["n","n","neighbour","phx_join",{}]')
      for (const [index, parts] of frames.entries()) {
        hostile.inlet.receive(written(parts, vsn))
        if (index % 4 === 3) await turn()
      }
      await turn()
      for (const data of hostile.sent) expect(() => JSON.parse(data as string) as unknown).not.toThrow()
      neighbour.sent.length = 0
      neighbour.inlet.receive('["n","1","neighbour","echo",{"fine":true}]')
      await turn()
      expect(neighbour.sent).toEqual(['["n","1","neighbour","phx_reply",{"response":{"fine":true},"status":"ok"}]'])
      hostile.inlet.closed()
      neighbour.inlet.closed()
      const topics = ["a", "b", "c", "d", "neighbour"]
      await until(() => topics.every((name) => Object.keys(server.presence.list(name)).length === 0))
      await server.close()
    }
    await fc.assert(fc.asyncProperty(fc.array(frame, { maxLength: 40 }), play), { numRuns: 300 })
  })
})
