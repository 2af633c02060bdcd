/** Each code that somebody can meet has an anchor in docs/troubleshooting.md. */
import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import * as closeCodes from "../../src/wire/close-codes.ts"
import * as refusals from "../../src/wire/refusals.ts"
import { readSources } from "../structure/import-graph.ts"

const page = await readFile("docs/troubleshooting.md", "utf8")
const headings = Array.from(page.matchAll(/^### (.+)$/gm), ([, heading]) => heading!)

/** The codes in the tables of a page below the headings "Errors" and "Reasons". */
async function tabled(name: string): Promise<string[]> {
  const sections = (await readFile(`docs/${name}.md`, "utf8")).split(/^#+ /m)
  const rows = sections.filter((section) => /^(Errors|Reasons)\n/.test(section)).join("\n")
  return Array.from(rows.matchAll(/^\| (`.+?) \|/gm), ([, cell]) => cell!).flatMap((cell) =>
    Array.from(cell.matchAll(/`([a-z_]+)`/g), ([, code]) => code!),
  )
}

test("each code of an error that the pages list has an anchor", async () => {
  const codes = (await Promise.all(["client", "server", "services"].map(tabled))).flat()
  expect(codes.length).toBeGreaterThan(50)
  expect(codes.filter((code) => !headings.includes(code))).toEqual([])
})

test("each code of an error in the sources has an anchor", async () => {
  const text = (await readSources("src")).map((source) => source.text).join("\n")
  // A code is an argument of the constructor, or comes from a constant, a choice, or a function that makes the error.
  const written = /(?:RollcallError\(|\bcode: |\bfail\(|reportOnce\(|\b[A-Z_]*(?:FAILED|META) = )\s*"([a-z_]+)"/g
  const chosen = /\bcode = [^\n"]*\? "([a-z_]+)" : "([a-z_]+)"/g
  const codes = [written, chosen].flatMap((form) => Array.from(text.matchAll(form), ([, ...found]) => found).flat())
  expect(codes).toEqual(
    expect.arrayContaining(["bad_frame", "params_failed", "invalid_payload", "version_mismatch", "handler_timeout"]),
  )
  expect(codes.filter((code) => !headings.includes(code))).toEqual([])
})

test("each refusal of the server, and each close code, has an anchor", () => {
  const { NORMAL, FIRST_PRIVATE, ...sent } = closeCodes
  const { TEMPORARY_REFUSALS, ...reasons } = refusals
  expect([NORMAL, FIRST_PRIVATE, TEMPORARY_REFUSALS.length]).toEqual([1000, 3000, 3])
  const codes = [...Object.values(sent).map(String), ...Object.values(reasons)]
  expect(codes.filter((code) => !headings.includes(code))).toEqual([])
})

test("no anchor is there twice", () => {
  expect(new Set(headings).size).toBe(headings.length)
})
