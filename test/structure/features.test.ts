/** `docs/features.md`: what it says is shown by tests that exist. */
import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"

const page = await readFile("docs/features.md", "utf8")

/** The cells of each row of a table, without its head. */
const rows = Array.from(page.matchAll(/^\| (.*) \|$/gm), ([, row]) => row!.split(" | ")).filter(
  ([first]) => !/^(#|feature|-+)$/.test(first!.trim()),
)
const numbered = rows.filter(([first]) => /^\d+$/.test(first!.trim()))
const others = rows.filter((row) => !numbered.includes(row))

/** The tests that a cell links to, as their titles and their files. */
const testsOf = (cell: string): [title: string, file: string][] =>
  Array.from(cell.matchAll(/\[(.+?)\]\(\.\.\/(test\/[^)]+)\)/g), ([, title, file]) => [title!, file!])

/** The titles of the tests in a source: the first argument of `it`, `test` and their variants. */
const titlesOf = (source: string): string[] =>
  Array.from(source.matchAll(/(?:\b(?:it|test)(?:\.\w+)?|\))\(\s*(["'`])((?:(?!\1).)+)\1,\s/g), ([, , title]) => title!)

test("has the 46 rows, and each is yes or no", () => {
  expect(numbered.map(([number]) => Number(number))).toEqual(Array.from({ length: 46 }, (_, index) => index + 1))
  for (const [number, , answer] of numbered) expect(answer, number).toMatch(/^(yes|no)\b/)
})

test("names a test for each row that says yes, and for each addition", () => {
  for (const [, feature, answer, shown] of numbered) {
    if (answer!.startsWith("yes")) expect(testsOf(shown!), feature).not.toEqual([])
  }
  expect(others).not.toEqual([])
  for (const [feature, shown] of others) expect(testsOf(shown!), feature).not.toEqual([])
})

test.for(testsOf(page))("the test exists that it names: %s", async ([title, file]) => {
  expect(titlesOf(await readFile(file, "utf8"))).toContain(title)
})
