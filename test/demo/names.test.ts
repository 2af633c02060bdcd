import { expect, test } from "vitest"
import { createNames } from "../../demo/bundle/room/names.js"

test("somebody else with a taken name gets the lowest free mark, and the same person the same name again", () => {
  const names = createNames(() => true)
  expect(names.take("rooms:1", "a", "Ada")).toEqual({ key: "Ada" })
  expect(names.take("rooms:1", "b", "Ada")).toEqual({ key: "Ada #2", mark: 2 })
  expect(names.take("rooms:1", "c", "Ada #2")).toEqual({ key: "Ada #2 #2", mark: 2 })
  expect(names.take("rooms:1", "b", "Ada")).toEqual({ key: "Ada #2", mark: 2 })
  expect(names.take("rooms:1", "a", "Ada")).toEqual({ key: "Ada" })
  expect(names.take("rooms:2", "b", "Ada"), "in another room").toEqual({ key: "Ada" })
})

test("a name is free again a minute after its person has left, and not while the person is there", () => {
  let now = 0
  let present = new Set(["Ada"])
  const names = createNames(
    (_: string, key: string) => present.has(key),
    () => now,
  )
  names.take("rooms:1", "a", "Ada")
  now = 3_600_000
  expect(names.take("rooms:1", "b", "Ada")).toEqual({ key: "Ada #2", mark: 2 })
  present = new Set()
  names.leave("rooms:1", "Ada")
  now += 59_999
  expect(names.take("rooms:1", "c", "Ada").key).not.toBe("Ada")
  now += 1
  expect(names.take("rooms:1", "d", "Ada")).toEqual({ key: "Ada" })
})
