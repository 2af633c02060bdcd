/** What must compile, and what must not: checked by `tsc -p test/tsconfig.json`. */
import { createServer } from "../../src/server/index.ts"
import type { Data, Message, NestedParams, Payload, Serializer } from "../../src/server/index.ts"

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
  server.socket("/expiring", { connect: () => ({ userId: "ada", expiresAt: Date.now() + 60_000 }) })
  server.socket("/dated", { dialect: "supabase", connect: async () => ({ userId: "ada", expiresAt: new Date() }) })
  // @ts-expect-error -- an expiry that is not a time
  server.socket("/soon", { connect: () => ({ userId: "ada", expiresAt: "soon" }) })
  // @ts-expect-error -- an unknown dialect
  server.socket("/odd", { dialect: "elvish" })
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

/** Parameters of a handshake: texts by their plain names, and nested ones as what they can be. */
export function parameters(): void {
  createServer().socket("/socket", {
    connect({ params }) {
      const nested: NestedParams = params
      const { user, tags } = nested
      // @ts-expect-error -- it may be a text or a list
      void user.id
      return { token: params["token"]?.trim(), id: Object(user).id, first: Array.isArray(tags) ? tags[0] : tags }
    },
  })
}

/** The `presence` handler: a key and perhaps a meta, now or later, or undefined. */
export function presenceHandler(): void {
  const server = createServer<{ userId: string; isSpy: boolean }>()
  const join = () => ({ ok: {} })
  server.channel("a:*", { join, presence: (channel) => ({ key: channel.assigns.userId, meta: { status: "here" } }) })
  server.channel("b:*", { join, presence: async ({ assigns }) => (assigns.isSpy ? undefined : { key: 7 }) })
  server.channel("c:*", { join, presence: () => undefined })
  // @ts-expect-error -- no such field
  server.channel("d:*", { join, presence: (channel) => ({ key: channel.assigns.name }) })
  // @ts-expect-error -- a presence without a key
  server.channel("e:*", { join, presence: () => ({ meta: {} }) })
  // @ts-expect-error -- a meta that is not an object
  server.channel("f:*", { join, presence: () => ({ key: "ada", meta: "here" }) })
  // @ts-expect-error -- null is no presence
  server.channel("g:*", { join, presence: () => null })
}

/** A serializer of one's own, with the types that `rollcall/server` exports. */
export function serializers(mine: Serializer): void {
  createServer({ serializers: [mine] })
  // @ts-expect-error -- a serializer that cannot decode
  createServer({ serializers: [{ ...mine, decode: undefined }] })
  const encodePayload = (payload: Payload): string | Uint8Array => payload.binary ?? payload.json
  const decode = (_data: Data): Message => ({ joinRef: null, ref: "1", topic: "t", event: "e", payload: {} })
  const whole: Serializer = {
    vsn: "mine",
    decode,
    push: (_joinRef, _topic, _event, payload) => encodePayload(payload),
    reply: (_joinRef, _ref, _topic, _status, response) => response.encoded((value) => String(value)),
    broadcast: (_topic, _event, payload) => encodePayload(payload),
    end: (_joinRef, _topic, _event, payload) => payload.json,
  }
  createServer({ serializers: [whole] })
}
