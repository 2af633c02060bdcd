import type { Registry } from "prom-client"
import { loadOptionalPeer } from "../../optional-peer.ts"
import type { Metric } from "./exposition.ts"

/** What is used of the package `prom-client`. */
export interface Prometheus {
  readonly contentType: string
  /** What concerns the process: Node's own figures, and what the program has registered with `prom-client` itself. */
  process(): Promise<Metric[]>
  /** Metrics in Prometheus's text format; those of one name are one, by their labels. */
  text(metrics: readonly Metric[]): Promise<string>
}

/** Node's figures: event-loop delay, garbage collection, memory. One for the process, as its observers never end. */
let figures: Registry | undefined

/**
 * Figures that look at each connection of the process, to count them: for twenty thousand the event loop stands still for
 * 30 to 170 ms at every scrape. `rollcall_connections` says the same for nothing.
 */
const WALKS = [
  "process_open_fds",
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_resources",
  "nodejs_active_resources_total",
]

/** @throws ConfigError when `prom-client`, an optional peer, is not installed */
export async function loadPrometheus(): Promise<Prometheus> {
  const { AggregatorRegistry, Registry, collectDefaultMetrics, prometheusContentType, register } =
    await loadOptionalPeer("Operations need", "prom-client", () => import("prom-client"))
  if (figures === undefined) {
    figures = new Registry()
    collectDefaultMetrics({ register: figures })
    for (const name of WALKS) figures.removeSingleMetric(name)
  }
  const [own, ofNode] = [register, figures]
  return {
    contentType: prometheusContentType,
    async process() {
      // A program may well collect Node's figures by itself.
      const isCollected = own.getSingleMetric("process_cpu_seconds_total") !== undefined
      const registries = isCollected ? [own] : [ofNode, own]
      const metrics = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))
      return metrics.flat() as unknown as Metric[]
    },
    text: (metrics) => AggregatorRegistry.aggregate([metrics]).metrics(),
  }
}
