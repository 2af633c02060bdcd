import type { CallDurations } from "../../services/call-durations.ts"
import { DURATIONS, GAUGES, SIZES, TRAFFIC } from "./metrics.ts"
import type { Distribution } from "./counters.ts"
import type { CounterName } from "./metrics.ts"
import type { Stats } from "./stats.ts"

/** A metric with its samples, in the form that `prom-client` uses between processes. */
export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: "counter" | "gauge" | "histogram"
  readonly aggregator: "sum"
  readonly values: readonly Sample[]
}

interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  /** The name of this sample, if it differs from the metric's: a histogram has `_bucket`, `_sum` and `_count`. */
  readonly metricName?: string
}

/** Returns a server's stats as metrics of Prometheus. */
export function metricsOf(stats: Stats): Metric[] {
  const { counters } = stats
  const traffic = Object.entries(TRAFFIC).map(([name, help]) =>
    metric(`${name}_total`, "counter", help, one(counters[name] ?? 0)),
  )
  // All other counters are drops, including those that a program's own transport has added.
  const reasons = Object.keys(counters).filter((name) => !Object.hasOwn(TRAFFIC, name))
  return [
    ...gauges(stats),
    ...traffic,
    drops(stats, reasons),
    refusals(stats),
    ...Object.entries(SIZES).map(([name, help]) => sizeHistogram(name, help, stats)),
    durations("services_call_seconds", stats.services?.calls),
    durations("services_handled_seconds", stats.services?.handled),
  ]
}

/** Returns the only counter that a primary has itself: the number of its workers that have died. */
export function workerDeathsOf(stats: Stats): Metric {
  return drops(stats, ["worker_deaths" satisfies CounterName])
}

/** Returns metrics with labels added. The labels distinguish the metrics of one process from those of the others. */
export function labelled(metrics: readonly Metric[], labels: Sample["labels"]): Metric[] {
  return metrics.map((metric) => ({
    ...metric,
    aggregator: "sum",
    values: metric.values.map((sample) => ({ ...sample, labels: { ...sample.labels, ...labels } })),
  }))
}

function drops({ counters }: Stats, reasons: readonly string[]): Metric {
  const samples = reasons.map((reason) => ({ labels: { reason }, value: counters[reason] ?? 0 }))
  return metric("drops_total", "counter", "What was refused, dropped or failed, by reason.", samples)
}

function refusals(stats: Stats): Metric {
  const samples = Object.entries(stats.refusals).map(([reason, value]) => ({ labels: { reason }, value }))
  return metric("refusals_total", "counter", "Clients refused before they had a connection, by reason.", samples)
}

function gauges({ bus, busAwayMs, connections, channels, topics, trackerRows, nodes, services }: Stats): Metric[] {
  const values: Record<keyof typeof GAUGES, readonly Sample[]> = {
    connections: one(connections),
    channels: one(channels),
    topics: one(topics),
    tracker_rows: one(trackerRows),
    bus_connected: bus === undefined ? [] : one(bus === "connected" ? 1 : 0),
    bus_away_seconds: bus === undefined ? [] : one(busAwayMs / 1_000),
    services_in_flight: one(services?.inFlight ?? 0),
    services_running: one(services?.running ?? 0),
    node_up: nodes.map(({ node, status }) => ({ labels: { node }, value: status === "up" ? 1 : 0 })),
    node_silent_seconds: nodes.map(({ node, silentMs }) => ({ labels: { node }, value: silentMs / 1_000 })),
  }
  return Object.entries(GAUGES).map(([name, help]) => metric(name, "gauge", help, values[name as keyof typeof GAUGES]))
}

function one(value: number): Sample[] {
  return [{ labels: {}, value }]
}

function sizeHistogram(name: string, help: string, { sizes }: Stats): Metric {
  return metric(name, "histogram", help, histogram(name, {}, sizes[name] ?? { count: 0, sum: 0, atMost: [] }))
}

function durations(name: keyof typeof DURATIONS, all: readonly CallDurations[] = []): Metric {
  const samples = all.flatMap(({ service, outcome, count, sumMs, atMostMs }) => {
    const atMost = atMostMs.map(([boundMs, atBound]) => [boundMs / 1_000, atBound] as const)
    return histogram(name, { service, outcome }, { count, sum: sumMs / 1_000, atMost })
  })
  return metric(name, "histogram", DURATIONS[name], samples)
}

function histogram(name: string, labels: Sample["labels"], { count, sum, atMost }: Distribution): Sample[] {
  const full = `rollcall_${name}`
  const buckets = [...atMost, ["+Inf", count] as const]
  return [
    ...buckets.map(([le, value]) => ({ metricName: `${full}_bucket`, labels: { ...labels, le }, value })),
    { metricName: `${full}_sum`, labels, value: sum },
    { metricName: `${full}_count`, labels, value: count },
  ]
}

function metric(name: string, type: Metric["type"], help: string, values: readonly Sample[]): Metric {
  return { name: `rollcall_${name}`, help, type, aggregator: "sum", values }
}
