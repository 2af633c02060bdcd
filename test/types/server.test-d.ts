/** What must compile, and what must not: checked by `tsc -p test/tsconfig.json`. */
import { createServer } from "../../src/server/index.ts"

/** The server that the README and the talk show, in which nobody has named a type. Never called: it is for the compiler. */
export async function untyped(): Promise<void> {
  const server = createServer()
  const presence = server.presence
  server.socket("/socket", { connect: ({ params }) => ({ userId: params["userId"] }) })
  server.channel("rooms:*", {
    join(_topic, _params, _channel) {
      return { ok: {} }
    },
    joined(channel) {
      presence.track(channel, channel.assigns["userId"], { status: "avail" })
      channel.push("presence_state", presence.list(channel.topic))
    },
    on: {
      shout(payload, channel) {
        channel.broadcast("shout", payload)
      },
    },
  })
  await server.listen(4000)
}

/** The same, with the type of the assigns. */
export function typed(): void {
  const server = createServer<{ userId: string }>()
  server.socket("/socket", { connect: ({ params }) => ({ userId: params["userId"] ?? "guest" }) })
  // @ts-expect-error -- a user without an id
  server.socket("/other", { connect: () => ({ name: "ada" }) })
  server.channel("rooms:*", {
    join: () => ({ ok: {} }),
    joined(channel) {
      const id: string = channel.assigns.userId
      server.presence.track(channel, id)
      // @ts-expect-error -- no such field
      server.presence.track(channel, channel.assigns.name)
    },
  })
  // @ts-expect-error -- neither ok nor error
  server.channel("other:*", { join: () => ({ fine: true }) })
}
