import { describe, expect, test } from "vitest"
import { Claims, type ClaimAnswer } from "../../src/services/claims.ts"
import { timedOut } from "../../src/services/errors.ts"
import type { Instance } from "../../src/services/instance-row.ts"
import { SeededNetwork } from "../../src/testing/seeded-network.ts"

const instance = (id: string): Instance => ({ id, node: id, since: 0, meta: {}, weight: 1, draining: false })

/** The claims of node `a`, and the other nodes that it sees. */
function claiming(names: readonly string[], answer: (name: string, ids: readonly string[]) => Promise<ClaimAnswer>) {
  const network = new SeededNetwork({ seed: 1 })
  const { timers } = network.node("a")
  const asked: string[] = []
  let members = ["a", ...names].map(instance)
  const claims = new Claims({
    timers,
    self: "a",
    aloneAfterMs: 500,
    instances: () => members,
    ask(name, ids) {
      asked.push(`${name}: ${ids.join(" ")}`)
      return answer(name, ids)
    },
  })
  /** Lets time pass, and returns what a claim comes to in it. */
  const within = async (ms: number, ...ids: readonly string[]): Promise<(boolean | undefined)[]> => {
    const results: (boolean | undefined)[] = ids.map(() => undefined)
    for (const [n, id] of ids.entries()) void claims.mayStart(id).then((may) => (results[n] = may))
    await network.run(ms)
    return results
  }
  const see = (...names: readonly string[]): void => {
    members = ["a", ...names].map(instance)
    claims.membersChanged()
  }
  return { claims, network, asked, within, see }
}

const agrees = (isOpen: boolean) => async (): Promise<ClaimAnswer> => ({ refused: [], isOpen })

describe("the claim of a node to a process", () => {
  test("is granted if all others agree, of which one has been up for long; those of one turn are one question to each", async () => {
    const { within, asked } = claiming(["b", "c"], (name) => agrees(name === "b")())
    expect(await within(10, "x", "y")).toEqual([true, true])
    expect(asked).toEqual(["b: x y", "c: x y"])
  })

  test("is refused if one of them knows better", async () => {
    const { within } = claiming(["b", "c"], async (name) => ({ refused: name === "c" ? ["x"] : [], isOpen: true }))
    expect(await within(10, "x", "y")).toEqual([false, true])
  })

  test("waits while all have just come, as they may all have missed the same node, and asks that one once it is seen", async () => {
    const { within, see, network, asked } = claiming(["b"], async (name, ids) =>
      name === "c" ? { refused: ids, isOpen: true } : { refused: [], isOpen: false },
    )
    const result = within(100, "x")
    expect(await result).toEqual([undefined])
    see("b", "c")
    await network.run(10)
    expect(await result).toEqual([false])
    expect(asked).toEqual(["b: x", "b: x", "c: x"])
  })

  test("is granted to a node that sees no others, once it has waited for them; then at once", async () => {
    const { within, network } = claiming([], agrees(true))
    const first = within(499, "x")
    expect(await first).toEqual([undefined])
    await network.run(2)
    expect(await first).toEqual([true])
    expect(await within(0, "y")).toEqual([true])
  })

  test("asks again what is not answered, and takes 2 s of silence for the end of a node", async () => {
    const { within, network, asked } = claiming(["b", "c"], async (name) => {
      if (name === "c") return { refused: [], isOpen: true }
      await new Promise((resolve) => network.node("timer").timers.set(() => resolve(undefined), 250))
      throw timedOut("it", 250)
    })
    const first = within(1_900, "x")
    expect(await first).toEqual([undefined])
    for (let ms = 0; ms < 500; ms += 10) await network.run(10)
    expect(await first).toEqual([true])
    expect(asked.filter((each) => each === "b: x").length).toBeGreaterThan(5)
  })

  test("counts the silence of a node from the first question on, and anew if it was asked nothing for a while", async () => {
    let isSilent = true
    let lost = 0
    const { within, network, see } = claiming(["b"], async (_name, ids) => {
      if (!isSilent && lost-- <= 0) return { refused: ids, isOpen: true }
      await new Promise((resolve) => network.node("timer").timers.set(() => resolve(undefined), 250))
      throw timedOut("it", 250)
    })
    const run = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 10) await network.run(10)
    }
    const first = within(10, "x")
    await run(1_500)
    const second = within(10, "y")
    await run(1_000)
    expect([await first, await second]).toEqual([[true], [true]])
    // Asked again at once, it has a single chance.
    const third = within(10, "z")
    await run(300)
    expect(await third).toEqual([true])
    isSilent = false
    lost = 2
    await run(8_000)
    see("b", "c")
    see("b")
    const fourth = within(10, "w")
    await run(1_000)
    expect(await fourth).toEqual([false])
  })

  test("asks nobody once the members have been the same for 10 s, and asks again after a change", async () => {
    const { within, network, asked, see } = claiming(["b"], agrees(true))
    await network.run(10_001)
    expect(await within(0, "x")).toEqual([true])
    expect(asked).toEqual([])
    see("b", "c")
    expect(await within(10, "x")).toEqual([true])
    expect(asked).toEqual(["b: x", "c: x"])
  })
})
