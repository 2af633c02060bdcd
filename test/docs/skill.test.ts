/** The file for coding agents names what the package has. */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { expect, test } from "vitest"

const skill = await readFile("SKILL.md", "utf8")
const manifest = JSON.parse(await readFile("package.json", "utf8")) as { exports: Record<string, { default: string }> }
const rows = Array.from(skill.matchAll(/^\| (`rollcall.*?) \| (.+) \|$/gm), ([, entries, names]) => ({
  // "`rollcall/react`, `/vue`" are two entries.
  entries: Array.from(entries!.matchAll(/`(?:rollcall)?(\/?[^`]*)`/g), ([, path]) => `.${path}`),
  // What follows a colon is prose.
  names: Array.from(names!.split(/: /)[0]!.matchAll(/`(\w+)[^`]*`/g), ([, name]) => name!),
}))

test("each entry of the package is in the table, or is a part of another", () => {
  const listed = rows.flatMap(({ entries }) => entries)
  const parts = ["./tracker", "./pubsub", "./rollcall.min.js", "./package.json"]
  expect([...listed, ...parts].sort()).toEqual(Object.keys(manifest.exports).sort())
})

test.each(rows.filter(({ names }) => names.length > 0))("$entries exports $names", async ({ entries, names }) => {
  for (const entry of entries) {
    const exported = (await import(resolve(manifest.exports[entry]!.default))) as object
    expect(Object.keys(exported), entry).toEqual(expect.arrayContaining(names))
  }
})
