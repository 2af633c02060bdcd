import { readFile, stat } from "node:fs/promises"
import { describe, expect, test } from "vitest"
import {
  boxOf,
  circles,
  type Edge,
  edgesBetweenBoxes,
  importsOf,
  type Layers,
  readSources,
  upwardImports,
} from "./import-graph.ts"

/**
 * The boxes of src, from the ground up. A file belongs to the longest entry that is its path or one of its folders, so that a file
 * directly in `src` or in `src/server` that is not named here is ground.
 */
const LAYERS: Layers = [
  ["src"],
  ["src/wire", "src/crdt", "src/pubsub"],
  ["src/tracker"],
  ["src/services"],
  ["src/client", "src/server"],
  ["src/client/bindings", "src/client/shared"],
  ["src/server/operations"],
  ["src/server/channel", "src/server/cluster", "src/server/transports"],
  ["src/server/presence", "src/server/connection"],
  ["src/server/admission", "src/server/dialects"],
  ["src/server/lifecycle"],
  ["src/server/server-options.ts"],
  ["src/server/server.ts"],
  ["src/server/channels-server.ts"],
  ["src/server/index.ts"],
  ["src/testing"],
  ["src/inspector"],
  ["src/command"],
]
const MAX_LINES = 300

const sources = await readSources("src")
const edges = sources.flatMap(importsOf)
const arrow = ({ from, to }: Edge) => `${from} → ${to}`

describe("the source", () => {
  test("imports only files that exist", () => {
    const paths = new Set(sources.map(({ path }) => path))
    expect(edges.filter(({ to }) => !paths.has(to)).map(arrow)).toEqual([])
    expect(edges.length).toBeGreaterThan(sources.length)
  })

  test("has no circle of value imports between files", () => {
    expect(circles(edges.filter(({ kind }) => kind === "value"))).toEqual([])
  })

  test("has no import that points up, nor from a folder to another one of its layer", () => {
    expect(upwardImports(edges, LAYERS).map(arrow)).toEqual([])
  })

  test("has no circle of imports between folders, types included", () => {
    expect(circles(edgesBetweenBoxes(edges, LAYERS))).toEqual([])
  })

  test(`has no file above ${MAX_LINES} lines`, () => {
    const long = sources.filter(({ text }) => text.trimEnd().split("\n").length > MAX_LINES).map(({ path }) => path)
    expect(long).toEqual([])
  })
})

test("every box of the layers holds a file", () => {
  const used = new Set(sources.map(({ path }) => boxOf(path, LAYERS)))
  expect(LAYERS.flat().filter((box) => !used.has(box))).toEqual([])
})

test("every lint rule is for a folder or file that exists", async () => {
  const { overrides } = JSON.parse(await readFile(".oxlintrc.json", "utf8")) as { overrides: { files: string[] }[] }
  const globs = overrides.flatMap(({ files }) => files)
  expect(globs).not.toEqual([])
  const matches = async (glob: string): Promise<boolean> => {
    // Of the other folders no file is looked for: tests that run meanwhile write some below test, and remove them.
    if (!glob.startsWith("src/")) return (await stat(glob.replace(/\/\*\*$/, ""))).isDirectory()
    const pattern = glob.replaceAll(".", "\\.").replace(/\*+/g, (stars) => (stars === "*" ? "[^/]*" : ".*"))
    return sources.some(({ path }) => new RegExp(`^${pattern}$`).test(path))
  }
  for (const glob of globs) expect(await matches(glob), glob).toBe(true)
})

describe("the reader of imports", () => {
  const read = (text: string) => importsOf({ path: "src/a/file.ts", text }).map(({ to, kind }) => `${kind} ${to}`)

  test.for([
    [`import { b } from "../b/b.ts"`, "value src/b/b.ts"],
    [`import type { B } from "../b/b.ts"`, "type src/b/b.ts"],
    // Without `import type` the statement stays in the emitted module, and the file is loaded.
    [`import { type B } from "../b/b.ts"`, "value src/b/b.ts"],
    [`import {\n  one,\n  two,\n} from "./b.ts"`, "value src/a/b.ts"],
    [`export { b } from "./b.ts"`, "value src/a/b.ts"],
    [`export * from "./b.ts"`, "value src/a/b.ts"],
    [`export type { B } from "./b.ts"`, "type src/a/b.ts"],
    [`import "./b.ts"`, "value src/a/b.ts"],
    [`const b = await import("./b.ts")`, "dynamic src/a/b.ts"],
  ] as const)("finds %j", ([line, found]) => {
    expect(read(line)).toEqual([found])
  })

  test.for([`// import { b } from "./b.ts"`, `/**\n * import { b } from "./b.ts"\n */`, `import { b } from "b"`])(
    "does not find %j",
    (line) => {
      expect(read(line)).toEqual([])
    },
  )
})

describe("the checker", () => {
  const layers: Layers = [["ground"], ["left", "right"], ["top", "left/above"]]
  const edge = (from: string, to: string): Edge => ({ from, to, kind: "type" })
  const sound = [edge("top/t.ts", "left/l.ts"), edge("top/t.ts", "ground/g.ts"), edge("left/l.ts", "ground/g.ts")]

  test("accepts imports that point down", () => {
    expect(upwardImports(sound, layers)).toEqual([])
    expect(circles(sound)).toEqual([])
  })

  test("accepts imports inside one box", () => {
    expect(upwardImports([edge("left/l.ts", "left/m.ts")], layers)).toEqual([])
  })

  test.for([
    ["to a layer above", edge("ground/g.ts", "left/l.ts")],
    ["to another box of the same layer", edge("left/l.ts", "right/r.ts")],
    ["from a folder to a folder inside it that is above it", edge("left/l.ts", "left/above/a.ts")],
    ["to a file that belongs to no box", edge("top/t.ts", "elsewhere/e.ts")],
  ] as const)("finds an import %s", ([, planted]) => {
    expect(upwardImports([...sound, planted], layers)).toEqual([planted])
  })

  test("finds a circle of two files, and one of three", () => {
    const two = [edge("a.ts", "b.ts"), edge("b.ts", "a.ts")]
    const three = [edge("c.ts", "d.ts"), edge("d.ts", "e.ts"), edge("e.ts", "c.ts"), edge("c.ts", "a.ts")]
    expect(circles(two)).toEqual([["a.ts", "b.ts"]])
    expect(circles([...two, ...three]).map((circle) => circle.join(" "))).toEqual(["a.ts b.ts", "c.ts d.ts e.ts"])
  })

  test("finds a circle between boxes whose files form none", () => {
    const planted = [edge("left/l.ts", "right/r.ts"), edge("right/other.ts", "left/m.ts")]
    expect(circles(planted)).toEqual([])
    expect(circles(edgesBetweenBoxes(planted, layers))).toEqual([["left", "right"]])
  })
})
