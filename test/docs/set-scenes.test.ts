/** The scenes of "How presence works" end as they say, on every node. */
import { expect, test } from "vitest"
import { play, SCENES } from "../../docs/.vitepress/theme/set-scenes.js"

type Name = keyof typeof SCENES
const names = Object.keys(SCENES) as Name[]

test.for(names)("all nodes agree at the end of %s, on what it says", (name) => {
  const { nodes, messages } = play(name).at(-1)!
  const { users, context } = SCENES[name].ends
  for (const node of nodes) {
    expect(node.users.map(({ key }) => key).sort(), node.name).toEqual(users)
    expect(Object.fromEntries(node.context.map(({ ref, clock }) => [ref, clock])), node.name).toEqual(context)
    expect(node.cloud, node.name).toEqual([])
  }
  expect(messages).toEqual([])
})

test("a row whose dot was seen and removed is discarded, and a node that has not heard of it still shows it", () => {
  const steps = play("add-or-discard")
  const usersAt = (at: number, name: string): string[] =>
    steps[at]!.nodes.find((node) => node.name === name)!.users.map(({ key }) => key)
  const late = steps.findIndex(({ say }) => say.includes("Add or discard"))
  expect(steps[late]!.messages.some(({ from, label }) => from === "n3" && label.includes("user1 (n1:1)"))).toBe(true)
  expect(usersAt(late + 1, "n2")).toEqual([])
  expect(usersAt(late + 1, "n3")).toEqual(["user1"])
})

test("a dot behind a gap waits in the cloud", () => {
  const clouds = play("a-lost-message").map(({ nodes }) => nodes[1]!.cloud.join())
  expect(clouds).toEqual(["", "", "", "", "n1:2", "n1:2", ""])
})

test.for(names)("each step of %s has a sentence", (name) => {
  for (const { say } of play(name)) expect(say).toMatch(/^[A-Z\da-z].+[.?]$/)
})
