import { describe, expect, it } from "vitest"
import { TopicView } from "../../../src/server/presence/topic-view.ts"
import type { PresenceEntry } from "../../../src/wire/presence.ts"

/** A view over users that a test changes. */
function viewOf(...keys: string[]) {
  const users = new Map<string, PresenceEntry>()
  let looks = 0
  const put = (key: string, ref = key): void => void users.set(key, { metas: [{ phx_ref: ref }] })
  for (const key of keys) put(key)
  const view = new TopicView(keys, (key) => {
    looks += 1
    return users.get(key)
  })
  return { users, put, view, looks: () => looks }
}

describe("a view of a topic", () => {
  it("is one frozen snapshot until something changes, and the old one stays as it was", () => {
    const { view, put } = viewOf("ada", "bob")
    const before = view.state
    expect(view.state).toBe(before)
    expect(Object.isFrozen(before)).toBe(true)
    put("cy")
    view.changed(["cy"])
    expect(Object.keys(view.state)).toEqual(["ada", "bob", "cy"])
    expect(Object.keys(before)).toEqual(["ada", "bob"])
  })

  it("asks only for who changed, and keeps the others as they are, in their places", () => {
    const { view, put, users, looks } = viewOf("ada", "bob", "cy")
    const before = view.state
    const asked = looks()
    put("ada", "new")
    users.delete("bob")
    view.changed(["ada", "bob"])
    expect(looks() - asked).toBe(2)
    expect(Object.keys(view.state)).toEqual(["ada", "cy"])
    expect(view.state["ada"]?.metas[0]?.phx_ref).toBe("new")
    expect(view.state["cy"]).toBe(before["cy"])
  })

  it("is encoded once until something changes", () => {
    const { view, put } = viewOf("ada")
    const { payload } = view
    expect(view.payload).toBe(payload)
    expect(JSON.parse(payload.json)).toEqual({ ada: { metas: [{ phx_ref: "ada" }] } })
    put("bob")
    view.changed(["bob"])
    expect(Object.keys(JSON.parse(view.payload.json) as object)).toEqual(["ada", "bob"])
  })

  it("takes any key for a name, __proto__ too", () => {
    const { view } = viewOf("__proto__", "constructor")
    expect(Object.keys(view.state)).toEqual(["__proto__", "constructor"])
    expect(view.payload.json).toContain('"__proto__":{"metas"')
  })

  it("is empty when the last one has left", () => {
    const { view, users } = viewOf("ada")
    users.clear()
    view.changed(["ada"])
    expect(view.empty).toBe(true)
    expect(view.state).toEqual({})
  })
})
