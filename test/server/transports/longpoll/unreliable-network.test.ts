import { expect, test } from "vitest"
import { createServer } from "../../../../src/server/index.ts"
import type { Endpoint, Outlet } from "../../../../src/server/index.ts"
import type { SessionStatus } from "../../../../src/server/transports/longpoll/session.ts"
import { sessionsOf } from "../../../../src/server/transports/longpoll/session-registry.ts"
import { SeededNetwork } from "../../../../src/testing/index.ts"
import type { Data } from "../../../../src/wire/message.ts"

// A session on one node, its client at any of them, and between them a network that loses, duplicates and delays messages.
// Even if the session ends early, its client must have received a prefix of what the server sent, in order and without gaps;
// and the server a prefix of what the client posted.

const SEEDS = 300
/** The work is bounded by the seeds and all time is virtual. This real time is a last resort for a very busy machine. */
const GENEROUS_MS = 600_000
const NODES = ["a", "b", "c"]
const { limits } = createServer().endpoint

/** Runs one client and its session for 30 s of virtual time, or until the session ends. Returns what each sent and received. */
async function play(seed: number, loss: number) {
  const network = new SeededNetwork({ seed, loss, duplication: 0.2, delayMs: [1, 40] })
  const { random } = network
  const counted = new Map<string, number>()
  const nodes = NODES.map((name) => {
    const { pubsub, timers } = network.node(name)
    const count = (counter: string): void => void counted.set(counter, (counted.get(counter) ?? 0) + 1)
    return sessionsOf({ limits, pubsub, timers, count, secret: "s", node: name } as unknown as Endpoint)
  })
  await network.run(100)
  const { timers } = network.node("outside")
  const anyNode = () => nodes[Math.floor(random() * nodes.length)] as (typeof nodes)[number]

  const sentByServer: string[] = []
  const receivedByServer: string[] = []
  const receivedByClient: string[] = []
  const posted: { readonly data: string; readonly status: SessionStatus }[] = []
  let isOver = false

  let outlet: Outlet | undefined
  const token = nodes[0]!.open({
    ok: true,
    open(session) {
      outlet = session
      const receive = (data: Data): void => void receivedByServer.push(String(data))
      return { receive, closed: () => undefined, busy: undefined, crowded: undefined, closeInTurn: () => undefined }
    },
  })

  function send(): void {
    sentByServer.push(`message ${sentByServer.length}`)
    outlet?.send({ data: sentByServer.at(-1) as string })
    if (!isOver) timers.set(send, random() * 200)
  }

  /** Polls at a random node, again and again. Some polls are cancelled before they are answered. */
  function poll(): void {
    let isWaiting = true
    const pollAgain = (): void => {
      isWaiting = false
      if (!isOver) timers.set(poll, random() * 20)
    }
    const cancel = anyNode()
      .find(token)
      ?.poll((status, messages) => {
        if (!isWaiting) return false
        receivedByClient.push(...messages)
        isOver ||= status === 410
        pollAgain()
        return true
      })
    const giveUp = (): void => {
      cancel?.()
      pollAgain()
    }
    if (cancel === undefined) isOver = true
    // A poll is cancelled after 80 ms at the earliest, when it has reached the session for sure. If it arrived after the next
    // poll, the session would take it for the latest one and answer it instead.
    else timers.set(() => isWaiting && giveUp(), random() < 0.3 ? 80 + random() * 100 : limits.longPollWindowMs)
  }

  async function post(n = 0): Promise<void> {
    const data = `posted ${n}`
    const status = (await anyNode().find(token)?.post([data])) ?? 410
    posted.push({ data, status })
    isOver ||= status === 410
    if (!isOver) timers.set(() => void post(n + 1), random() * 100)
  }

  send()
  poll()
  void post()
  await network.run(30_000)
  return { sentByServer, receivedByClient, receivedByServer, posted, counted, isOver }
}

test(
  `in ${SEEDS} runs each message arrives once and in order, both from and to the server`,
  async () => {
    const totals = { received: 0, posted: 0, ended: 0, relayed: 0 }
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const loss = seed % 2 === 0 ? 0 : 0.01
      const { sentByServer, receivedByClient, receivedByServer, posted, counted, isOver } = await play(seed, loss)
      expect(receivedByClient, `seed ${seed}`).toEqual(sentByServer.slice(0, receivedByClient.length))
      const accepted = posted.filter(({ status }) => status === 200).map(({ data }) => data)
      expect(receivedByServer.slice(0, accepted.length), `seed ${seed}`).toEqual(accepted)
      // The last post may have arrived although its client got 410 for it, or is not answered yet.
      expect(receivedByServer.length - accepted.length, `seed ${seed}`).toBeLessThanOrEqual(1)
      // A session ends only because a message was lost.
      if (loss === 0) expect(isOver, `seed ${seed}`).toBe(false)
      if (!isOver) expect(receivedByClient.length, `seed ${seed}`).toBeGreaterThan(sentByServer.length - 20)
      totals.received += receivedByClient.length
      totals.posted += accepted.length
      totals.ended += Number(isOver)
      totals.relayed += counted.get("relayed_polls") ?? 0
    }
    // The runs exercised what they are for: lost messages ended sessions, and many messages were relayed.
    expect(totals.ended).toBeGreaterThan(SEEDS / 4)
    for (const total of [totals.received, totals.posted, totals.relayed]) expect(total).toBeGreaterThan(SEEDS * 20)
  },
  GENEROUS_MS,
)
