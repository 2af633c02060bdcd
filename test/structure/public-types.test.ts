/** `test/structure/api` has the public types as they are, so that a change of them shows in a review. */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { FOLDER, publicTypes } from "./public-types.js"

const current = await publicTypes()

test("each entry has a file with its public types, and no other file is there", async () => {
  expect((await readdir(FOLDER)).sort()).toEqual([...current.keys()].sort())
})

test.for([...current])(
  "the public types are those of %s (after an intended change: npm run api)",
  async ([name, text]) => {
    expect(text).toBe(await readFile(join(FOLDER, name), "utf8"))
  },
)

test("they contain overloads, renamed exports, and what an export refers to, but no comments", () => {
  const react = current.get("rollcall-react.md") ?? ""
  expect(react.match(/^export declare function useUsers</gm)).toHaveLength(2)
  expect(react).toContain("export type HeldRoomOptions<")
  const main = current.get("rollcall.md") ?? ""
  expect(main).toContain("export declare function connect(")
  expect(main).toContain("export declare class RollcallError")
  expect(main).not.toContain("/**")
})
