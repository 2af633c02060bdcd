import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { Instance } from "../../src/services/index.ts"
import { currentOf, idsToMove, ownerOfId, placedProcess, winnerOf } from "../../src/services/placement-plan.ts"

const instance = (id: string, meta: object = {}, weight = 1): Instance => ({
  id,
  node: id,
  since: 0,
  meta,
  weight,
  draining: false,
})

const reverse = <Value>(values: readonly Value[]): Value[] => values.map((_, n) => values[values.length - 1 - n]!)
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 })
const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { maxLength: 40 })

describe("the plan of a placement", () => {
  test("does not depend on the order in which a node lists the others", () => {
    fc.assert(
      fc.property(names, ids, (given, all) => {
        const instances = given.map((name) => instance(name))
        const reversed = reverse(instances)
        for (const id of all) expect(ownerOfId(instances, id)?.id).toBe(ownerOfId(reversed, id)?.id)
      }),
    )
  })

  test("when one comes, only what it owns moves; when one drains, only what it owned moves", () => {
    fc.assert(
      fc.property(names, ids, (given, all) => {
        const instances = given.map((name) => instance(name))
        const before = new Map(all.map((id) => [id, ownerOfId(instances, id)!.id]))
        const comes = instance("a node that comes")
        for (const name of given) {
          const own = all.filter((id) => before.get(id) === name)
          const after = [...instances, comes]
          const expected = own.filter((id) => ownerOfId(after, id) === comes)
          expect(idsToMove(after, name, own)).toEqual(expected)
          expect(idsToMove(instances, name, own)).toEqual([])
        }
        const [leaves] = given
        const draining = instances.map((each) => (each.id === leaves ? instance(leaves, { leaving: true }) : each))
        for (const name of given) {
          const own = all.filter((id) => before.get(id) === name)
          expect(idsToMove(draining, name, own)).toEqual(name === leaves && given.length > 1 ? own : [])
        }
      }),
    )
  })

  test("with nowhere to go, a process stays, and a new one has no owner", () => {
    const leaving = [instance("a", { leaving: true })]
    expect(idsToMove(leaving, "a", ["x"])).toEqual([])
    expect(ownerOfId(leaving, "x")).toBeUndefined()
  })

  test("of several processes of one id, every order of seeing them leaves the same one, whatever others are seen", () => {
    const process = (name: string, isMoving = false) => ({
      id: "x",
      node: name,
      instance: name,
      isMoving,
      ref: name,
      run: "r",
    })
    fc.assert(
      fc.property(names, fc.nat(), (given, n) => {
        const processes = given.map((name) => process(name))
        const winner = winnerOf(processes)!
        expect(winnerOf(reverse(processes))).toBe(winner)
        // A total order: two of them never each yield to the other, and the winner stays without any of the losers.
        for (const other of processes) expect(winnerOf([other, winner])).toBe(winner)
        const moving = processes.map((each) => (each === winner ? process(each.instance, true) : each))
        expect(winnerOf(moving)?.instance).not.toBe(winner.instance)
        expect(currentOf(moving)?.isMoving).toBe(given.length === 1)
        expect(winnerOf([])).toBeUndefined()
        expect(processes[n % processes.length]).toBeDefined()
      }),
    )
  })

  test("a client that is tracked in the topic of a placement is no process", () => {
    const row = (pid: string) => ({ topic: "rollcall:placed:session", key: "x", pid, meta: { phx_ref: "r", run: "r" } })
    expect(placedProcess(row("17@a"))).toBeUndefined()
    expect(placedProcess(row("place:session#1@a"))).toEqual({
      id: "x",
      instance: "place:session#1@a",
      node: "a",
      isMoving: false,
      ref: "r",
      run: "r",
    })
  })
})
