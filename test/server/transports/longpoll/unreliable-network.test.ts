import { expect, test } from "vitest"
import { createServer } from "../../../../src/server/index.ts"
import type { Endpoint, Outlet } from "../../../../src/server/index.ts"
import type { SessionStatus } from "../../../../src/server/transports/longpoll/session.ts"
import { sessionsOf } from "../../../../src/server/transports/longpoll/sessions.ts"
import { SeededNetwork } from "../../../../src/testing/index.ts"
import type { Data } from "../../../../src/wire/message.ts"

// A session on one node, its client at any of them, and between them a network that loses, doubles and delays. Whatever
// becomes of the session, its client has seen all that was said until some moment, in order, and its server as well.

const SEEDS = 300
const NODES = ["a", "b", "c"]
const { limits } = createServer().endpoint

/** What one client and its server have heard of each other, until the session ended or its time was up. */
async function play(seed: number, loss: number) {
  const network = new SeededNetwork({ seed, loss, duplication: 0.2, delayMs: [1, 40] })
  const { random } = network
  const counted = new Map<string, number>()
  const nodes = NODES.map((name) => {
    const { pubsub, timers } = network.node(name)
    const count = (what: string): void => void counted.set(what, (counted.get(what) ?? 0) + 1)
    return sessionsOf({ limits, pubsub, timers, count, secret: "s", node: name } as unknown as Endpoint)
  })
  await network.run(100)
  const { timers } = network.node("outside")
  const anyNode = () => nodes[Math.floor(random() * nodes.length)] as (typeof nodes)[number]

  const said: string[] = []
  const heard: string[] = []
  const seen: string[] = []
  const posted: { readonly data: string; readonly status: SessionStatus }[] = []
  let isOver = false

  let outlet: Outlet | undefined
  const token = nodes[0]!.open({
    ok: true,
    open(given) {
      outlet = given
      const receive = (data: Data): void => void heard.push(String(data))
      return { receive, closed: () => undefined, busy: undefined, crowded: undefined, closeInTurn: () => undefined }
    },
  })

  function say(): void {
    said.push(`said ${said.length}`)
    outlet?.send({ data: said.at(-1) as string })
    if (!isOver) timers.set(say, random() * 200)
  }

  /** Polls at one node after the other, and now and then gives up before there is an answer. */
  function poll(): void {
    let isWaiting = true
    const proceed = (): void => {
      isWaiting = false
      if (!isOver) timers.set(poll, random() * 20)
    }
    const forget = anyNode()
      .find(token)
      ?.poll((status, messages) => {
        if (!isWaiting) return false
        seen.push(...messages)
        isOver ||= status === 410
        proceed()
        return true
      })
    const giveUp = (): void => {
      forget?.()
      proceed()
    }
    if (forget === undefined) isOver = true
    // No sooner than the poll has come to the session: one that comes after its successor would be the one that is served.
    else timers.set(() => isWaiting && giveUp(), random() < 0.3 ? 80 + random() * 100 : limits.longPollWindowMs)
  }

  async function post(n = 0): Promise<void> {
    const data = `posted ${n}`
    const status = (await anyNode().find(token)?.post([data])) ?? 410
    posted.push({ data, status })
    isOver ||= status === 410
    if (!isOver) timers.set(() => void post(n + 1), random() * 100)
  }

  say()
  poll()
  void post()
  await network.run(30_000)
  return { said, seen, heard, posted, counted, isOver }
}

test(`in ${SEEDS} runs a client sees what was said once and in order, and what it posted comes once and in order`, async () => {
  const totals = { seen: 0, posted: 0, ended: 0, relayed: 0 }
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const loss = seed % 2 === 0 ? 0 : 0.01
    const { said, seen, heard, posted, counted, isOver } = await play(seed, loss)
    expect(seen, `seed ${seed}`).toEqual(said.slice(0, seen.length))
    const done = posted.filter(({ status }) => status === 200).map(({ data }) => data)
    expect(heard.slice(0, done.length), `seed ${seed}`).toEqual(done)
    // The last one may have come although its client was told that the session is gone, or is not told yet.
    expect(heard.length - done.length, `seed ${seed}`).toBeLessThanOrEqual(1)
    // What is lost ends the session; nothing else does.
    if (loss === 0) expect(isOver, `seed ${seed}`).toBe(false)
    if (!isOver) expect(seen.length, `seed ${seed}`).toBeGreaterThan(said.length - 20)
    totals.seen += seen.length
    totals.posted += done.length
    totals.ended += Number(isOver)
    totals.relayed += counted.get("relayed_polls") ?? 0
  }
  // The runs were worth their time.
  expect(totals.ended).toBeGreaterThan(SEEDS / 4)
  for (const much of [totals.seen, totals.posted, totals.relayed]) expect(much).toBeGreaterThan(SEEDS * 20)
})
