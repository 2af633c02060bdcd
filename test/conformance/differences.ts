import type { Entry, Recording, Step } from "./recording.ts"

/** A deliberate difference between the answers of our server and the recorded ones. */
interface Difference {
  readonly scenario: string
  readonly why: string
  /**
   * Returns the answers that are expected instead of a recorded one, none if it is empty; `undefined` if the recorded
   * one is expected.
   */
  change(answer: Entry, actions: readonly Entry[]): readonly unknown[] | undefined
}

const POLLED = {
  "access-control-allow-origin": "*",
  "cache-control": "no-store",
  "content-type": "application/json; charset=utf-8",
}

const REFUSED = ["content-length: 0", "cache-control: max-age=0, private, must-revalidate"]

const text = (answer: Entry): string => (typeof answer.frame === "string" ? answer.frame : JSON.stringify(answer.frame))

export const differences: readonly Difference[] = [
  {
    scenario: "03-update",
    why: "a meta's own phx_ref and phx_ref_prev are dropped: Phoenix writes the keys twice, and JSON.parse keeps the client's",
    change: ({ frame }) =>
      typeof frame === "string" ? [frame.replaceAll(',"phx_ref":"mine","phx_ref_prev":"mine-prev"', "")] : undefined,
  },
  {
    scenario: "09-malformed",
    why: "the last one of duplicate keys wins, as everywhere in JavaScript",
    change: ({ conn, frame }) =>
      conn.startsWith("duplicate keys") && typeof frame === "string"
        ? [frame.replace('{"n":1}', '{"n":2}')]
        : undefined,
  },
  {
    scenario: "09-malformed",
    why: "a frame that is too large closes the connection with 1009; Phoenix drops it without a close frame",
    change: ({ conn, frame }) =>
      conn === "text of 20 MB" && (frame as { event?: string }).event === "close"
        ? [{ event: "close", code: 1009, reason: "" }]
        : undefined,
  },
  {
    scenario: "10-longpoll",
    why: "a binary message for a long-poll client is dropped, and the messages beside it are delivered; Phoenix fails the poll with HTTP 500",
    change: ({ conn, frame }, actions) =>
      conn === "poll" && (frame as { status?: number }).status === 500 ? [pollWithoutTheBinary(actions)] : undefined,
  },
  {
    scenario: "10-longpoll",
    why: "a line that is not base64 is refused with status 400 and the session goes on; Phoenix answers HTTP 500",
    change: ({ conn, frame }) =>
      conn === "lp3" && (frame as { status?: number }).status === 500
        ? [{ status: 200, headers: POLLED, body: '{"status":400}' }]
        : undefined,
  },
  {
    scenario: "11-vsn",
    why: "a binary broadcast is not sent to a client of version 1, and the other clients get it; in Phoenix the channel crashes",
    change: (answer) => {
      if (answer.conn === "vsn=2.0.0 mate" && text(answer).includes("channel_crash")) {
        const [broadcast, reply] = ["\u0002\u0008\u0003room:t11bin", "\u0001\u0001\u0001\u0008\u000213room:t11ok"]
        return [broadcast, reply].map((head) => ({ hex: Buffer.from(`${head}\u0001\u0002`).toString("hex") }))
      }
      return text(answer).includes('"leaves":{"new"') ? [] : undefined
    },
  },
  {
    scenario: "12-handshake",
    why: "a handshake with an auth token that is not base64 is refused with HTTP 403; Phoenix answers HTTP 500",
    change: ({ conn }) =>
      conn === "subproto4"
        ? [{ raw: ["HTTP/1.1 403 Forbidden", ...REFUSED, "sec-websocket-protocol: phoenix", "", ""].join("\r\n") }]
        : undefined,
  },
  {
    scenario: "16-server-shutdown",
    why: "at shutdown all sockets are closed with 1012 at once, also those without a channel, and no client gets the leaves of the others",
    change: (answer) => {
      if (text(answer).includes('"leaves":{"')) return []
      const { event, code } = answer.frame as { event?: string; code?: number }
      return event === "close" && code === 1000 ? [{ event, code: 1012, reason: "" }] : undefined
    },
  },
]

/** Returns the answer to the poll without the reply and the broadcast of the binary push. */
function pollWithoutTheBinary(actions: readonly Entry[]): unknown {
  const { url } = (actions.at(-1) as Entry).frame as { url: string }
  const unmatched = { response: { reason: "unmatched topic" }, status: "error" }
  const messages = [
    ["1", "4", "room:t10", "phx_reply", ok({ a: 3 })],
    ["1", "6", "room:t10", "phx_reply", ok({ a: 4 })],
    [null, "7", "room:zzz", "phx_reply", unmatched],
    [null, "8", "phoenix", "phx_reply", ok({})],
  ]
  const token = new URL(url).searchParams.get("token")
  const body = { messages: messages.map((message) => JSON.stringify(message)), status: 200, token }
  return { status: 200, headers: POLLED, body: JSON.stringify(body) }
}

const ok = (response: unknown): unknown => ({ response, status: "ok" })

/** Returns the recording with the answers that our server should give. */
export function withDifferences(recording: Recording): Recording {
  const changes = differences.filter(({ scenario }) => scenario === recording.name)
  const changed = (answer: Entry, { actions }: Step): Entry[] => {
    const { t_ms, conn, dir } = answer
    for (const { change } of changes) {
      const frames = change(answer, actions)
      if (frames !== undefined) return frames.map((frame) => ({ t_ms, conn, dir, frame }))
    }
    return [answer]
  }
  return {
    ...recording,
    steps: recording.steps.map((step) => ({
      actions: step.actions,
      answers: step.answers.flatMap((answer) => changed(answer, step)),
    })),
  }
}
