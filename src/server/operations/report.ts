import type { Role } from "../role.ts"
import { problemsOf } from "./stats.ts"
import type { Stats } from "./stats.ts"
import { labelled, metricsOf } from "./exposition.ts"
import type { Metric } from "./exposition.ts"
import { loadPrometheus } from "./prometheus.ts"
import type { Prometheus } from "./prometheus.ts"
import { askWorkers } from "./worker-reports.ts"

/** What is to be told of a server. */
export interface Report {
  /** Why it should be sent no clients now; empty when it should. */
  problems(): Promise<readonly string[]>
  /** In Prometheus's text format. */
  metrics(): Promise<string>
  readonly contentType: string
}

/** What a server shows of itself. */
export interface Reporting {
  /** Known for good only once it listens. */
  readonly role: Role
  stats(): Stats
}

/** A server's report; a primary's is that of its workers. @throws ConfigError when `prom-client` is not installed */
export async function reportOn(server: Reporting): Promise<Report> {
  const prometheus = await loadPrometheus()
  const isPrimary = (): boolean => server.role === "primary"
  return {
    contentType: prometheus.contentType,
    problems: async () => [...problemsOf(server.stats()), ...(isPrimary() ? await problemsOfWorkers() : [])],
    metrics: async () =>
      prometheus.text(await (isPrimary() ? metricsOfWorkers(prometheus) : metricsOfProcess(server, prometheus))),
  }
}

/** All that one process has to say. */
export async function metricsOfProcess(server: Reporting, prometheus: Prometheus): Promise<Metric[]> {
  return labelled([...metricsOf(server.stats()), ...(await prometheus.process())], {})
}

async function problemsOfWorkers(): Promise<string[]> {
  const answers = await askWorkers("problems")
  if (answers.length === 0) return ["no worker lives"]
  return answers.flatMap(({ worker, answer = ["no answer"] }) =>
    answer.map((problem) => `worker ${worker}: ${problem}`),
  )
}

/**
 * Each process's series stay apart, by `worker`: in a sum, one that dies takes what it had counted with it, which looks
 * like a restart of all, and the one whose event loop is late is lost in the average.
 */
async function metricsOfWorkers(prometheus: Prometheus): Promise<Metric[]> {
  const [primary, workers] = await Promise.all([prometheus.process(), askWorkers("metrics")])
  const answers = workers.map(({ worker, answer = [] }) => labelled(answer, { worker }))
  return [...labelled(primary, { worker: "primary" }), ...answers.flat()]
}
