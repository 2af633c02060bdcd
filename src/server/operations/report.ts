import type { Role } from "../role.ts"
import { labelled, metricsOf, workerDeathsOf } from "./exposition.ts"
import type { Metric } from "./exposition.ts"
import { loadPrometheus } from "./prometheus.ts"
import type { Prometheus } from "./prometheus.ts"
import { problemsOf } from "./stats.ts"
import type { Stats } from "./stats.ts"
import { askWorkers } from "./worker-reports.ts"
import type { ReportingWorker } from "./worker-reports.ts"

/** A server's state, for load balancers and for Prometheus. */
export interface Report {
  /** Returns the reasons for which no clients should be sent to the server now. Without such reasons it is empty. */
  problems(): Promise<readonly string[]>
  /** Returns the metrics in Prometheus's text format. */
  metrics(): Promise<string>
  /** The content type of `metrics`. */
  readonly contentType: string
}

/** The parts of a server that a report reads. */
export interface Reporting {
  /** Final once the server listens. */
  readonly role: Role
  stats(): Stats
  /** Returns the worker processes of a primary. In all other processes it is empty. */
  workers(): readonly ReportingWorker[]
}

/**
 * Returns a server's report. A primary's report covers its workers.
 * @throws ConfigError when `prom-client` is not installed
 */
export async function reportOn(server: Reporting): Promise<Report> {
  const prometheus = await loadPrometheus()
  const isPrimary = (): boolean => server.role === "primary"
  return {
    contentType: prometheus.contentType,
    problems: async () => [...problemsOf(server.stats()), ...(isPrimary() ? await problemsOfWorkers(server) : [])],
    metrics: async () =>
      prometheus.text(
        await (isPrimary() ? metricsOfWorkers(server, prometheus) : metricsOfProcess(server, prometheus)),
      ),
  }
}

/** Returns the metrics of one server and of its process. */
export async function metricsOfProcess(server: Pick<Reporting, "stats">, prometheus: Prometheus): Promise<Metric[]> {
  return labelled([...metricsOf(server.stats()), ...(await prometheus.process())], {})
}

async function problemsOfWorkers(server: Reporting): Promise<string[]> {
  const answers = await askWorkers(server.workers(), "problems")
  if (answers.length === 0) return ["no worker is running"]
  return answers.flatMap(({ worker, answer = ["no answer"] }) =>
    answer.map((problem) => `worker ${worker}: ${problem}`),
  )
}

/**
 * Returns the metrics of all workers, each with a label `worker`, and those of the primary.
 *
 * They are not added up. If they were, the death of a worker would lower the sum, which looks like a restart of all workers.
 * And one worker with a blocked event loop would not show in an average.
 */
async function metricsOfWorkers(server: Reporting, prometheus: Prometheus): Promise<Metric[]> {
  const [process, workers] = await Promise.all([prometheus.process(), askWorkers(server.workers(), "metrics")])
  const ofPrimary = labelled([workerDeathsOf(server.stats()), ...process], { worker: "primary" })
  const ofWorkers = workers.flatMap(({ worker, answer = [] }) => labelled(answer, { worker }))
  return [...ofPrimary, ...ofWorkers]
}
