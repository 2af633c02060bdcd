import fc from "fast-check"
import { expect, it } from "vitest"
import { StatePieces } from "../../../src/server/presence/state-pieces.ts"
import { TopicView } from "../../../src/server/presence/topic-view.ts"
import type { Row } from "../../../src/tracker/tracker.ts"

const row = (at: number): Row => ({ topic: "t", key: `u${at}`, pid: `${at}@a`, meta: { phx_ref: `r${at}` } })

const textsOf = (view: TopicView): readonly { readonly text: string }[] => view.snapshot.payload.pieces?.() ?? []

it("the pieces of a state are together its JSON, after any joins and leaves", () => {
  const view = new TopicView(Array.from({ length: 600 }, (_, at) => row(at)))
  let joined = 600
  const check = (): void =>
    expect(
      textsOf(view)
        .map(({ text }) => text)
        .join(""),
    ).toBe(view.snapshot.payload.json)
  check()
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 60 }), (changes) => {
      for (const at of changes) {
        if (at % 3 === 0) view.apply({ joins: [row((joined += 1))], leaves: [] })
        else view.apply({ joins: [], leaves: [row(at)] })
      }
      check()
    }),
  )
})

it("a state without users has its JSON as a piece", () => {
  expect(new StatePieces().of([]).map(({ text }) => text)).toEqual(["{}"])
})

it("the pieces without a change are the same objects in the next state", () => {
  const view = new TopicView(Array.from({ length: 2000 }, (_, at) => row(at)))
  const before = new Set(textsOf(view))
  view.apply({ joins: [row(5000)], leaves: [row(700)] })
  // The piece of the one who left, the last one, and the end of the text.
  expect(textsOf(view).filter((piece) => !before.has(piece))).toHaveLength(3)
})
