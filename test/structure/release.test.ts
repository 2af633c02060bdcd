/** What a maintainer and a contributor rely on: the commands that are named exist, and a release needs no stored token. */
import { readdir, readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { expect, test } from "vitest"
import { manifest } from "../package/consumer.js"

const read = (path: string): Promise<string> => readFile(path, "utf8")
const scripts = manifest.scripts as Record<string, string>

const PAGES = [
  "CONTRIBUTING.md",
  "SECURITY.md",
  ".changeset/README.md",
  ".github/pull_request_template.md",
  ...(await readdir(".github/ISSUE_TEMPLATE")).map((name) => `.github/ISSUE_TEMPLATE/${name}`),
  ...(await readdir(".github/workflows")).map((name) => `.github/workflows/${name}`),
  "docs/stability.md",
]

test.for(PAGES)("each script that %s names is one of package.json", async (page) => {
  const named = Array.from((await read(page)).matchAll(/\bnpm run (?:--silent |-s )?([\w:-]+)/g), ([, name]) => name!)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

test.for(PAGES)("each file of this repository that %s names exists", async (page) => {
  const named = Array.from(
    (await read(page)).matchAll(/(?<![\w/])((?:src|test|docs|demo|examples|\.github|\.changeset)\/[\w./-]*\w\.\w+)/g),
    ([, path]) => path!,
  )
  const missing = await Promise.all(
    named.map((path) =>
      read(path).then(
        () => [],
        () => [path],
      ),
    ),
  )
  expect(missing.flat().filter((path) => !path.includes("<"))).toEqual([])
})

test("a release is published with provenance, by a job that alone may identify itself to npm, and without a token of npm", async () => {
  const workflow = await read(".github/workflows/release.yml")
  expect(workflow.match(/id-token: write/g)).toHaveLength(1)
  expect(workflow).toMatch(/\n {2}publish:\n[^]*id-token: write[^]*npm publish .* --provenance --access public/)
  expect(workflow).not.toMatch(/NPM_TOKEN|NODE_AUTH_TOKEN|registry-url: /)
  // npm 11.5.1, which trusted publishing needs, comes with Node 24.
  for (const [, version] of workflow.matchAll(/node-version: (\d+)/g))
    expect(Number(version)).toBeGreaterThanOrEqual(24)
})

test("the command for changesets has the same version wherever it is named", async () => {
  const texts = await Promise.all(["package.json", ...PAGES].map(read))
  const versions = texts.flatMap((text) =>
    Array.from(text.matchAll(/@changesets\/cli@([\d.]*\d)/g), ([, version]) => version!),
  )
  expect(versions.length).toBeGreaterThan(2)
  expect(new Set(versions).size).toBe(1)
})

test("a line of the changelog is the text of its changeset, without a hash", async () => {
  const load = createRequire(import.meta.url)
  const { getReleaseLine } = load(resolve(".changeset/changelog.cjs")) as {
    getReleaseLine(change: { commit: string; summary: string }): Promise<string>
  }
  const line = await getReleaseLine({
    commit: "0123456",
    summary: "Fix: a room was left twice.\n\nWith a second sentence.\n",
  })
  expect(line).toBe("- Fix: a room was left twice.\n\n  With a second sentence.")
})
