import { execFile } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { dirname, join, normalize } from "node:path"
import { promisify } from "node:util"
import { describe, expect, test } from "vitest"
import { limitsOf } from "../../src/server/limits.ts"
import { DROPS, DURATIONS, GAUGES, SIZES, TRAFFIC } from "../../src/server/operations/metrics.ts"
import * as closeCodes from "../../src/wire/close-codes.ts"
import { readSources } from "./import-graph.ts"

const read = (path: string): Promise<string> => readFile(path, "utf8")
const docs = (await readdir("docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)
const top = (await readdir(".")).filter((name) => name.endsWith(".md"))
const [client, server, production, metrics, services] = await Promise.all(
  ["client", "server", "running-in-production", "metrics", "services"].map((name) => read(`docs/${name}.md`)),
)

/** The links of a page to other files and to its own headings. */
const linksOf = (text: string): string[] => Array.from(text.matchAll(/\]\((?!https?:)([^)]+)\)/g), ([, link]) => link!)

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .trim()
    .replace(/ /g, "-")

test("each file that the README links to is in the published package", async () => {
  const { stdout } = await promisify(execFile)("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"])
  const published = Array.from(stdout.matchAll(/"path": "(.+?)"/g), ([, path]) => path)
  const linked = linksOf(await read("README.md")).map((link) => link.split("#")[0])
  expect(linked).not.toEqual([])
  expect(published).toEqual(expect.arrayContaining(linked.filter((path) => path !== "")))
})

test.for([...top, ...docs])("each link of %s leads to a file and a heading that exist", async (page) => {
  for (const link of linksOf(await read(page))) {
    const [path = "", anchor] = link.split("#")
    const target = path === "" ? page : normalize(join(dirname(page), path))
    const text = await read(target).catch(() => undefined)
    expect(text, `${page} links to ${link}`).toBeDefined()
    const headings = Array.from((text ?? "").matchAll(/^#+ (.+)$/gm), ([, heading]) => anchorOf(heading!))
    if (anchor !== undefined) expect(headings, `${page} links to ${link}`).toContain(anchor)
  }
})

/** The names in the first cell of each row of a page's tables. */
const rowsOf = (page: string): string[] =>
  Array.from(page.matchAll(/^\| (.+?) \|/gm), ([, cell]) => cell!).flatMap((cell) =>
    Array.from(cell.matchAll(/`([\w.]+)[^`]*`/g), ([, name]) => name!),
  )

describe("the documentation has a row for", () => {
  test("every limit of a server", () => {
    expect(rowsOf(server!)).toEqual(expect.arrayContaining(Object.keys(limitsOf({}))))
  })

  test("every counter, size and gauge, with its text", () => {
    const texts = { ...TRAFFIC, ...DROPS, ...SIZES, ...GAUGES, ...DURATIONS }
    const missing = Object.entries(texts).filter(
      ([name, text]) => !metrics!.match(new RegExp(`\\b(rollcall_)?${name}\\b`)) || !metrics!.includes(text),
    )
    expect(missing).toEqual([])
  })

  test("every code with which a server closes a WebSocket", () => {
    const { NORMAL, ABNORMAL, FIRST_PRIVATE, ...sent } = closeCodes
    expect([NORMAL, ABNORMAL, FIRST_PRIVATE]).toEqual([1000, 1006, 3000])
    for (const code of Object.values(sent)) expect(server).toContain(`| ${code} |`)
  })

  test("every code of an error", async () => {
    // Long polling handles these by itself.
    const internal = new Set(["disconnected", "bad_body", "too_large", "too_busy"])
    const rows = new Set([...rowsOf(client!), ...rowsOf(server!), ...rowsOf(services!)])
    const sources = (await readSources("src")).map(({ text }) => text).join("\n")
    const codes = Array.from(sources.matchAll(/RollcallError\(\s*"([a-z_]+)"/g), ([, code]) => code!)
    expect(codes).not.toEqual([])
    expect(codes.filter((code) => !rows.has(code) && !internal.has(code))).toEqual([])
  })

  test.for([
    [
      "docs/client.md",
      "src/client",
      ["ConnectOptions", "SocketOptions", "LivenessOptions", "RoomOptions", "PresenceOptions"],
    ],
    [
      "docs/server.md",
      "src/server",
      [
        "ServerOptions",
        "ListenOptions",
        "HttpSettings",
        "SocketHandlers",
        "Expiry",
        "ChannelHandlers",
        "TokensOptions",
      ],
    ],
    ["docs/running-in-production.md", "src/pubsub", ["PubSubOptions", "RedisOptions", "NatsOptions", "LivenessTiming"]],
    ["docs/react.md", "src/client", ["HeldRoomOptions"]],
    ["docs/client.md", "src/client", ["IdleOptions"]],
    ["docs/testing.md", "src/testing", ["FakeConnectionOptions", "FakeRoomOptions", "RecordOptions"]],
    ["docs/running-in-production.md", "src/tracker", ["TrackerTiming"]],
    [
      "docs/services.md",
      "src/services",
      ["ServicesOptions", "ServiceLimits", "AnnounceOptions", "ServeOptions", "CallOptions", "PlaceOptions"],
    ],
  ] as const)("every option: %s has those of %s", async ([page, folder, types]) => {
    const sources = (await readSources(folder)).map(({ text }) => text).join("\n")
    const rows = rowsOf(await read(page))
    for (const type of types) {
      const [declaration = ""] =
        new RegExp(`^export (?:interface|type) ${type}\\b[^]*?\\n *\\}\\n`, "m").exec(sources) ?? []
      const names = Array.from(declaration.matchAll(/^ {2,4}(?:readonly )?(\w+)\??[:(]/gm), ([, name]) => name!)
      expect(names, type).not.toEqual([])
      expect(
        names.filter((name) => !rows.includes(name)),
        type,
      ).toEqual([])
    }
  })

  test("every option of a tracker", () => {
    expect(rowsOf(production!)).toEqual(expect.arrayContaining(["hideOthersAfterMs", "poolSize", "name"]))
  })
})
