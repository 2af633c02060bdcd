import type { Registry } from "prom-client"
import { loadOptionalPeer } from "../../optional-peer.ts"
import type { Metric } from "./exposition.ts"

/** The functions of the package `prom-client` that are used here. */
export interface Prometheus {
  readonly contentType: string
  /**
   * Returns the metrics of this process: those of Node, and those that the program has registered with `prom-client`.
   */
  process(): Promise<Metric[]>
  /** Returns metrics in Prometheus's text format. Metrics with one name are merged, and differ in their labels. */
  text(metrics: readonly Metric[]): Promise<string>
}

/**
 * Node's metrics: event-loop delay, garbage collection, memory. The process has only one such registry, because `prom-client`
 * never stops the observers that it starts for a registry.
 */
let nodeMetrics: Registry | undefined

/**
 * Metrics of `prom-client` that are left out. They count the connections of the process one by one, which blocks the event
 * loop for 30 to 170 ms at each scrape with 20 000 connections. `rollcall_connections` is the same number.
 */
const SLOW_METRICS = [
  "process_open_fds",
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_resources",
  "nodejs_active_resources_total",
]

/** Loads `prom-client`, an optional peer dependency. @throws ConfigError when it is not installed */
export async function loadPrometheus(): Promise<Prometheus> {
  const { AggregatorRegistry, Registry, collectDefaultMetrics, prometheusContentType, register } =
    await loadOptionalPeer("Operations need", "prom-client", () => import("prom-client"))
  if (nodeMetrics === undefined) {
    nodeMetrics = new Registry()
    collectDefaultMetrics({ register: nodeMetrics })
    for (const name of SLOW_METRICS) nodeMetrics.removeSingleMetric(name)
  }
  const [ofProgram, ofNode] = [register, nodeMetrics]
  return {
    contentType: prometheusContentType,
    async process() {
      // A program may collect Node's metrics itself. Then they must not be reported twice.
      const isCollected = ofProgram.getSingleMetric("process_cpu_seconds_total") !== undefined
      const registries = isCollected ? [ofProgram] : [ofNode, ofProgram]
      const metrics = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))
      return metrics.flat() as unknown as Metric[]
    },
    text: (metrics) => AggregatorRegistry.aggregate([metrics]).metrics(),
  }
}
