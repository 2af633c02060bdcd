// Generates the attacks of hostile clients as data. fast-check draws each attack from a seed, so that it can be repeated.
import fc from "fast-check"

/**
 * One TCP connection of an attack.
 *
 * @typedef {object} AttackConnection
 * @property {Step[]} steps the writes, in order
 * @property {boolean} neverReads
 * @property {"fin" | "reset" | "stay"} ending `stay`: keeps its side open until the server closes the connection
 */
/**
 * @typedef {object} Step
 * @property {Buffer | string} write in a string, `{token}` stands for the token of the attack's long-poll session
 * @property {"whole" | "bytes" | "halves"} by how the write is split
 * @property {boolean} [waitsForAnswer] waits for an answer before it writes
 */

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 }))
const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data))
const topic = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom("rooms:shared", "rooms:noise", "rooms:1", "rooms:2", "phoenix", "__proto__"),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 200_000 }).map((length) => `rooms:${"x".repeat(length)}`) },
  { weight: 1, arbitrary: fc.oneof(text, fc.constantFrom(null, 7, {}, ["rooms:1"])) },
)
const ref = fc.oneof(
  { weight: 8, arbitrary: fc.constant("1") },
  { weight: 2, arbitrary: fc.oneof(fc.constantFrom("2", null, 1, { a: 1 }), text) },
)
const event = fc.oneof(
  { weight: 4, arbitrary: fc.constant("phx_join") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("phx_leave", "phx_close", "phx_error", "phx_reply", "heartbeat", "access_token"),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom("echo", "late", "shout", "whisper", "answer", "track", "update", "stop", "never"),
  },
  { weight: 1, arbitrary: fc.oneof(text, fc.constantFrom(null, 7, "__proto__", "constructor", "intercepted")) },
)
const deep = fc.integer({ min: 1, max: 60_000 }).map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`)
const payload = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "{}",
      "null",
      '{"late":true}',
      '{"meta":{"a":1}}',
      '{"ok":{}}',
      '{"__proto__":{"ok":1}}',
    ),
  },
  { weight: 3, arbitrary: fc.json() },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 100_000 }).map((length) => `{"big":"${"y".repeat(length)}"}`) },
)

/** The text of a message, in a version of the protocol. */
const messageOf = (vsn) =>
  fc.tuple(ref, ref, topic, event, payload).map(([joinRef, ref, topic, event, body]) => {
    const [j, r, t, e] = [joinRef, ref, topic, event].map((part) => JSON.stringify(part))
    if (vsn === "1.0.0") return `{"join_ref":${j},"ref":${r},"topic":${t},"event":${e},"payload":${body}}`
    return `[${j},${r},${t},${e},${body}]`
  })
const message = messageOf("2.0.0")
const v2 = (topic, event, body = "{}", joinRef = "1") =>
  `["${joinRef}","1",${JSON.stringify(topic)},"${event}",${body}]`

/** A binary push, whose length fields may be wrong. */
const binaryMessage = fc
  .tuple(
    fc.array(fc.oneof(text, fc.constantFrom("1", "rooms:1", "rooms:shared", "echo", "shout")), {
      minLength: 4,
      maxLength: 4,
    }),
    bytes,
    fc.nat(3),
    fc.boolean(),
  )
  .map(([names, data, type, hasWrongLengths]) => {
    const parts = names.map((name) => Buffer.from(name))
    const sizes = parts.map(({ length }) => (hasWrongLengths ? length * 7 : length) & 255)
    return Buffer.concat([Buffer.from([type === 3 ? 9 : 0, ...sizes]), ...parts, data])
  })

/** The data with some bytes replaced. */
const mutated = (data) =>
  fc.tuple(data, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 })).map(([data, changes]) => {
    const copy = Buffer.from(/** @type {string | Uint8Array} */ (data))
    for (const [at, value] of changes) if (copy.length > 0) copy[at % copy.length] = value
    return copy
  })

/** @typedef {{ opcode?: number, fin?: boolean, masked?: boolean, rsv?: number, length?: number | undefined }} FrameOptions */

/** Builds any WebSocket frame. Its mask is all zeros, which leaves the bytes unchanged. */
function frame(data, /** @type {FrameOptions} */ { opcode = 1, fin = true, masked = true, rsv = 0, length } = {}) {
  const body = Buffer.from(data)
  const size = length ?? body.length
  const long = size < 126 ? 0 : size < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + long + (masked ? 4 : 0))
  head[0] = (fin ? 128 : 0) | (rsv << 4) | opcode
  head[1] = (masked ? 128 : 0) | (long === 0 ? size : long === 2 ? 126 : 127)
  if (long === 2) head.writeUInt16BE(size, 2)
  if (long === 8) head.writeBigUInt64BE(BigInt(size), 2)
  return Buffer.concat([head, body])
}

const validFrame = (vsn) =>
  fc.oneof(
    { weight: 8, arbitrary: messageOf(vsn).map((data) => frame(data)) },
    { weight: vsn === "2.0.0" ? 1 : 0, arbitrary: binaryMessage.map((data) => frame(data, { opcode: 2 })) },
    { weight: 1, arbitrary: fc.constant(frame("ping", { opcode: 9 })) },
  )
const invalidFrame = fc.oneof(
  mutated(message).map((data) => frame(data)),
  mutated(binaryMessage).map((data) => frame(data, { opcode: 2 })),
  fc.oneof(text, bytes).map((data) => frame(data)),
  bytes.map((data) => frame(data, { opcode: 2 })),
  mutated(validFrame("2.0.0")),
  bytes,
  fc
    .record({
      opcode: fc.nat(15),
      fin: fc.boolean(),
      masked: fc.boolean(),
      rsv: fc.nat(7),
      length: fc.option(fc.constantFrom(0, 126, 70_000, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER), { nil: undefined }),
    })
    .chain((options) => bytes.map((data) => frame(data, options))),
  fc.tuple(message, fc.nat()).map(([data, at]) => {
    const cut = at % (data.length + 1)
    return Buffer.concat([
      frame(data.slice(0, cut), { fin: false }),
      frame("p", { opcode: 9 }),
      frame(data.slice(cut), { opcode: 0 }),
    ])
  }),
)

const JOIN = {
  "1.0.0": frame('{"ref":"1","topic":"rooms:shared","event":"phx_join","payload":{}}'),
  "2.0.0": frame(v2("rooms:shared", "phx_join")),
}
const by = fc.constantFrom("whole", "whole", "bytes", "halves")
const ending = fc.constantFrom("fin", "reset", "stay")

const request = (lines, body = "") => `${lines.join("\r\n")}\r\n\r\n${body}`
const UPGRADE = [
  "Host: 127.0.0.1",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==",
  "Sec-WebSocket-Version: 13",
]
const handshake = (vsn) => request([`GET /socket/websocket?vsn=${vsn}&name=mallory HTTP/1.1`, ...UPGRADE])

/** Connects correctly and then writes any frames. Most are valid, so that the attack reaches deeper code. */
const frames = fc
  .tuple(fc.constantFrom("2.0.0", "2.0.0", "2.0.0", "1.0.0"), fc.constantFrom(0, 1, 1))
  .chain(([vsn, invalidWeight]) => {
    const any = fc.oneof({ weight: 12, arbitrary: validFrame(vsn) }, { weight: invalidWeight, arbitrary: invalidFrame })
    const sent = fc.array(fc.tuple(any, by), { maxLength: 60, size: "max" })
    return fc.record({ vsn: fc.constant(vsn), sent, joins: fc.boolean(), neverReads: fc.boolean(), ending })
  })
  .map(({ vsn, sent, joins, neverReads, ending }) => {
    const steps = [{ write: handshake(vsn), by: "whole" }, ...(joins ? [{ write: JOIN[vsn], by: "whole" }] : [])]
    return [{ steps: [...steps, ...sent.map(([write, by]) => ({ write, by }))], neverReads, ending }]
  })

const headerValue = fc.oneof(
  text.map((value) => value.replaceAll(/[\r\n]/g, "")),
  fc.constantFrom(
    "",
    "websocket",
    "upgrade",
    "13",
    "0",
    "phoenix",
    "phoenix, base64url.bearer.phx.%%%",
    "base64url.bearer.phx.YQ",
    "null",
    "https://evil.example",
    "[::",
    "a".repeat(9_000),
  ),
)
const header = fc
  .tuple(
    fc.constantFrom(
      "Host",
      "Origin",
      "Connection",
      "Upgrade",
      "Sec-WebSocket-Key",
      "Sec-WebSocket-Version",
      "Sec-WebSocket-Protocol",
      "Sec-WebSocket-Extensions",
      "Content-Length",
      "Transfer-Encoding",
      "X-Forwarded-For",
      "X-Forwarded-Host",
      "X-Phoenix-AuthToken",
      "Expect",
      "Cookie",
    ),
    headerValue,
  )
  .map(([name, value]) => `${name}: ${value}`)
const target = fc.oneof(
  fc.constantFrom(
    "/socket/websocket?vsn=2.0.0",
    "/socket/longpoll?vsn=2.0.0",
    "/socket/websocket",
    "/socket/websocket?vsn=9",
    "/socket/longpoll/",
    "/socket",
    "/",
    "*",
    "//",
    "http://[/socket/websocket",
    "/socket/websocket?vsn=2.0.0&name=%ff%00",
    "/socket/websocket?__proto__=1&vsn=2.0.0",
  ),
  fc.integer({ min: 1, max: 30_000 }).map((length) => `/socket/websocket?vsn=2.0.0&q=${"z".repeat(length)}`),
  fc.webPath().map((path) => `/socket${path}`),
)

/** Writes an incomplete or invalid handshake, and more bytes behind it. */
const handshakes = fc
  .record({
    method: fc.constantFrom("GET", "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "NOPE"),
    target,
    kept: fc.subarray(UPGRADE),
    more: fc.array(header, { maxLength: 6 }),
    after: fc.oneof(bytes, fc.constant(JOIN["2.0.0"])),
    by,
    neverReads: fc.boolean(),
    ending,
  })
  .map(({ method, target, kept, more, after, by, neverReads, ending }) => {
    const head = request([`${method} ${target} HTTP/1.1`, ...kept, ...more])
    return [
      {
        steps: [
          { write: head, by },
          { write: after, by: "whole" },
        ],
        neverReads,
        ending,
      },
    ]
  })

/** Writes a handshake or a body byte by byte, and never completes it ("slow loris"). */
const slowRequests = fc
  .tuple(
    fc.constantFrom(
      handshake("2.0.0"),
      "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: x\r\n",
      "POST /socket/longpoll?vsn=2.0.0&token={token} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n[",
    ),
    fc.nat(200),
    fc.boolean(),
  )
  .map(([head, cut, opens]) => {
    const posts = head.startsWith("POST")
    const first = { write: posts ? head : head.slice(0, cut), by: "bytes" }
    const session = {
      steps: [{ write: "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: x\r\n\r\n", by: "whole" }],
      neverReads: false,
      ending: "fin",
    }
    const steps = opens && !posts ? [] : [{ ...first, waitsForAnswer: posts }]
    return [...(posts ? [session] : []), { steps, neverReads: false, ending: "stay" }]
  })

const body = fc.oneof(
  message,
  fc
    .array(
      fc.oneof(
        message,
        bytes.map((data) => data.toString("base64")),
        text,
      ),
      { maxLength: 130 },
    )
    .map((lines) => lines.join("\n")),
  bytes.map((data) => data.toString("latin1")),
  fc.constantFrom("", "[", "\n\n\n", "x".repeat(3_000_000)),
)
const poll = fc
  .record({
    method: fc.constantFrom("POST", "POST", "POST", "GET", "OPTIONS", "PUT"),
    token: fc.oneof(
      { weight: 8, arbitrary: fc.constant("{token}") },
      { weight: 1, arbitrary: fc.constantFrom("", ".", "a.b", "{token}x", "W10.e30") },
    ),
    body,
    batch: fc.boolean(),
    lengthError: fc.constantFrom(0, 0, 0, -3, 40),
  })
  .map(({ method, token, body, batch, lengthError }) => {
    const length = Math.max(0, Buffer.byteLength(body) + lengthError)
    const type = batch ? "application/x-ndjson" : "application/json"
    return request(
      [
        `${method} /socket/longpoll?vsn=2.0.0&name=mallory&token=${token} HTTP/1.1`,
        "Host: x",
        `Content-Type: ${type}`,
        `Content-Length: ${method === "GET" ? 0 : length}`,
      ],
      method === "GET" ? "" : body,
    )
  })

/** Opens a session and sends valid and invalid requests to it, over two connections. */
const longPolls = fc
  .record({
    posts: fc.array(fc.tuple(poll, by), { minLength: 1, maxLength: 6 }),
    polls: fc.nat(3),
    neverReads: fc.boolean(),
    endings: fc.tuple(ending, ending),
  })
  .map(({ posts, polls, neverReads, endings }) => {
    const open = "GET /socket/longpoll?vsn=2.0.0&name=mallory HTTP/1.1\r\nHost: x\r\n\r\n"
    const again = "GET /socket/longpoll?vsn=2.0.0&token={token} HTTP/1.1\r\nHost: x\r\n\r\n"
    const pollSteps = Array.from({ length: polls }, () => ({ write: again, by: "whole", waitsForAnswer: true }))
    return [
      { steps: [{ write: open, by: "whole" }, ...pollSteps], neverReads: false, ending: endings[0] },
      { steps: posts.map(([write, by]) => ({ write, by, waitsForAnswer: true })), neverReads, ending: endings[1] },
    ]
  })

/** Sends very many joins without a pause, all for different topics or all for the same. */
const joinFloods = fc
  .record({
    joins: fc.integer({ min: 100, max: 3_000 }),
    same: fc.boolean(),
    connections: fc.integer({ min: 1, max: 20 }),
    ending,
  })
  .map(({ joins, same, connections, ending }) => {
    const each = Math.ceil(joins / connections)
    const flood = Array.from({ length: each }, (_, n) =>
      frame(v2(same ? "rooms:shared" : `rooms:${n}`, "phx_join", "{}", `${n}`)),
    )
    const steps = [
      { write: handshake("2.0.0"), by: "whole" },
      { write: Buffer.concat(flood), by: "whole" },
    ]
    return Array.from({ length: connections }, () => ({ steps, neverReads: false, ending }))
  })

/** Makes the server send a lot, and never reads. */
const floodsWithoutReading = fc
  .record({
    shouts: fc.integer({ min: 1, max: 100 }),
    size: fc.integer({ min: 1, max: 60_000 }),
    connections: fc.integer({ min: 1, max: 5 }),
    ending,
  })
  .map(({ shouts, size, connections, ending }) => {
    const shout = frame(v2("rooms:noise", "shout", `{"noise":"${"n".repeat(size)}"}`))
    const steps = [
      { write: handshake("2.0.0"), by: "whole" },
      { write: frame(v2("rooms:noise", "phx_join")), by: "whole" },
      { write: Buffer.concat(Array.from({ length: shouts }, () => shout)), by: "whole" },
    ]
    return Array.from({ length: connections }, () => ({ steps, neverReads: true, ending }))
  })

const kinds = { frames, handshakes, slowRequests, longPolls, joinFloods, floodsWithoutReading }
const weights = { frames: 8, handshakes: 5, slowRequests: 2, longPolls: 4, joinFloods: 1, floodsWithoutReading: 1 }

const attack = fc.oneof(
  ...Object.entries(kinds).map(([kind, connections]) => ({
    weight: weights[kind],
    arbitrary: connections.map((connections) => ({ kind, connections })),
  })),
)

/** Returns the attack of a seed. @returns {{ kind: string, connections: AttackConnection[] }} */
export const attackOf = (seed) => fc.sample(attack, { seed, numRuns: 1 })[0]
