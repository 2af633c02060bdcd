import { describe, expect, it } from "vitest"
import { Share, Turns } from "../../src/server/turns.ts"
import type { Timers } from "../../src/timers.ts"
import { serve } from "../support/serve.ts"

/** Turns of an event loop that a test turns, with a clock that goes on by as much as it takes to take something. */
function loop(costMs: number) {
  let now = 0
  let due: (() => void)[] = []
  const timers: Timers = { now: () => now, set: () => undefined, clear: () => undefined, soon: (run) => due.push(run) }
  const turns = new Turns(timers)
  const taken: string[] = []
  const speaker = (name: string) => {
    const share = new Share<string>(turns, {
      take(item) {
        now += costMs
        taken.push(`${name}${item}`)
      },
    })
    const says = (...items: string[]): void => {
      for (const item of items) share.add(item, item.length)
    }
    return { share, says }
  }
  /** Goes on to the next turn, and tells what has been taken meanwhile. */
  const turn = async (): Promise<string[]> => {
    const runs = due
    due = []
    for (const run of runs) run()
    for (let i = 0; i < 200; i += 1) await undefined
    return taken.splice(0)
  }
  return { speaker, turn }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`)

describe("turns of the event loop", () => {
  it("go to who says a few small things at once, however much others say", async () => {
    const { speaker, turn } = loop(0.3)
    const [a, b, c] = [speaker("a"), speaker("b"), speaker("c")]
    a.says(...numbers(1, 50))
    b.says("1")
    c.says("1", "2")
    expect((await turn()).slice(0, 19)).toEqual([...numbers(1, 16).map((n) => `a${n}`), "b1", "c1", "c2"])
    b.says("2")
    expect(await turn()).toContain("b2")
  })

  it("give who says much a share, and the rest of it in the turns that follow, in order", async () => {
    const { speaker, turn } = loop(0)
    const { says, share } = speaker("a")
    says(...numbers(1, 20))
    expect(share.waiting).toBeInstanceOf(Promise)
    says("21")
    const all = [...(await turn()), ...(await turn())]
    expect(all).toEqual(numbers(1, 21).map((n) => `a${n}`))
    expect(share.waiting).toBeUndefined()
  })

  it("end when their time is used up, and hear those who wait in rounds", async () => {
    const { speaker, turn } = loop(0.5)
    const [a, b] = [speaker("a"), speaker("b")]
    a.says(...numbers(1, 20))
    b.says(...numbers(1, 20))
    const rounds = [await turn(), await turn(), await turn(), await turn()]
    expect(rounds.map((round) => round.length)).toEqual([34, 2, 2, 2])
    expect(rounds.map((round) => round.slice(-2))).toEqual([
      ["a17", "b17"],
      ["a18", "b18"],
      ["a19", "b19"],
      ["a20", "b20"],
    ])
  })

  it("have what is large wait when there is no time left, and hear one thing at least", async () => {
    const { speaker, turn } = loop(5)
    const [a, b] = [speaker("a"), speaker("b")]
    a.says("1")
    b.says("x".repeat(10_000))
    b.says("2")
    expect(b.share.waiting).toBeInstanceOf(Promise)
    expect([...(await turn()), ...(await turn()), ...(await turn())].map((item) => item.slice(0, 2))).toEqual([
      "a1",
      "bx",
      "b2",
    ])
  })

  it("forget what waits of a connection that has ended", async () => {
    const { speaker, turn } = loop(0)
    const { says, share } = speaker("a")
    says(...numbers(1, 20))
    const waiting = share.waiting
    share.drop()
    await waiting
    expect([...(await turn()), ...(await turn())]).toHaveLength(16)
  })
})

describe("a client that says much at once", () => {
  const echoing = () =>
    serve((server) => {
      server.socket("/socket")
      server.channel("rooms:*", { join: () => ({ ok: {} }), on: { echo: (payload) => ({ ok: payload }) } })
    })

  it("is answered all of it, in order, and its goodbye after that", async () => {
    const { client } = await echoing()
    const one = await client()
    await one.join("rooms:1")
    const count = 2_000
    for (let n = 0; n < count; n += 1) one.push("rooms:1", "echo", { n })
    one.socket.close(1000)
    for (let n = 0; n < count; n += 1) {
      expect(await one.next()).toEqual([
        "rooms:1",
        expect.anything(),
        "rooms:1",
        "phx_reply",
        { status: "ok", response: { n } },
      ])
    }
    expect(await one.next()).toMatchObject({ event: "close", code: 1000 })
  })
})
