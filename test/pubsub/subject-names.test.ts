import fc from "fast-check"
import { expect, test } from "vitest"
import { subjectNames } from "../../src/pubsub/subject-names.ts"

const text = fc.array(fc.oneof(fc.nat(0xffff), fc.nat(0x7f)), { maxLength: 300 }).map((u) => String.fromCharCode(...u))

test("every name is two tokens of safe ASCII, and short enough for a NATS protocol line", () => {
  fc.assert(
    fc.property(text, text, (namespace, name) => {
      const { topic, node } = subjectNames(namespace)
      for (const subject of [topic(name), node(name)]) {
        expect(subject).toMatch(/^rollcall-[\w:%#-]*\.[tn]-[\w:%#-]*$/)
        expect(subject.length).toBeLessThan(500)
      }
    }),
  )
})

test("different topics and different namespaces have different names, and so have a topic and a node", () => {
  fc.assert(
    fc.property(text, text, (one, other) => {
      fc.pre(one !== other)
      expect(subjectNames("n").topic(one)).not.toBe(subjectNames("n").topic(other))
      expect(subjectNames(one).topic("t")).not.toBe(subjectNames(other).topic("t"))
      expect(subjectNames("n").topic(one)).not.toBe(subjectNames("n").node(one))
    }),
  )
})

test("a common topic stays readable in the engine's own tools", () => {
  expect(subjectNames("rollcall").topic("rooms:lobby-1")).toBe("rollcall-rollcall.t-rooms:lobby-1")
  expect(subjectNames("rollcall").topic("a.b")).toBe("rollcall-rollcall.t-a%002eb")
})
