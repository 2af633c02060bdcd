/** The dashboard in docs/grafana-dashboard.json asks for metrics that a server has. */
import { readFile } from "node:fs/promises"
import { expect, test } from "vitest"
import { DROPS, DURATIONS, GAUGES, SIZES, TRAFFIC } from "../../src/server/operations/metrics.ts"
import { scrape } from "../support/scrape.ts"
import { serve } from "../support/serve.ts"

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
}
const { panels } = JSON.parse(await readFile("docs/grafana-dashboard.json", "utf8")) as { panels: Panel[] }
const production = await readFile("docs/running-in-production.md", "utf8")
/** The alerts of the page: the first cells of their table. */
const alerts = Array.from(
  production.matchAll(/^\| `(.*\brollcall_.*[<>] [\d.]+|nodejs_.*[<>] [\d.]+)` \|/gm),
  ([, query]) => query!,
)
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** The metrics that a query names. */
const metricsOf = (query: string): string[] =>
  Array.from(query.matchAll(/\b(?:rollcall|nodejs|process)_[a-z_\d]+/g), ([name]) => name)

test("each query names one metric, and each metric exists", async () => {
  const { operations } = await serve(() => {}, {}, { operations: 0 })
  const histograms = [...Object.keys(SIZES), ...Object.keys(DURATIONS)]
  const known = new Set([
    ...Object.keys(TRAFFIC).map((name) => `rollcall_${name}_total`),
    ...Object.keys(GAUGES).map((name) => `rollcall_${name}`),
    ...histograms.flatMap((name) => ["bucket", "count", "sum"].map((part) => `rollcall_${name}_${part}`)),
    "rollcall_drops_total",
    "rollcall_refusals_total",
    // Those of Node, as they are.
    ...Array.from((await scrape(operations)).keys(), (series) => series.split("{")[0]!),
  ])
  expect(queries.length).toBeGreaterThan(20)
  expect(alerts).toHaveLength(5)
  for (const query of [...queries, ...alerts]) {
    expect(metricsOf(query), query).toHaveLength(1)
    expect(known, query).toContain(metricsOf(query)[0])
  }
})

test("each reason that a query names is a counter of drops", () => {
  const reasons = [...queries, ...alerts].flatMap((query) =>
    Array.from(query.matchAll(/reason="(\w+)"/g), ([, reason]) => reason!),
  )
  expect(reasons).not.toEqual([])
  for (const reason of reasons) expect(Object.keys(DROPS)).toContain(reason)
})

test("no panel covers another one", () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)}:${y + Math.floor(at / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
})
