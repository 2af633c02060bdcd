import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { expect, test } from "vitest"

test("each file that the README links to is in the published package", async () => {
  const { stdout } = await promisify(execFile)("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"])
  const published = Array.from(stdout.matchAll(/"path": "(.+?)"/g), ([, path]) => path)
  const readme = await readFile("README.md", "utf8")
  const linked = Array.from(readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g), ([, path]) => path)
  expect(linked).not.toEqual([])
  expect(published).toEqual(expect.arrayContaining(linked))
})
