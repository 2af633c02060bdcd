import { createServer } from "node:http"
import type { Logger } from "../logger.ts"
import { once } from "../once.ts"
import { openPort, urlOf } from "../port.ts"
import { operationsHandler } from "./http-handler.ts"
import { operationsAddress } from "./operations-port.ts"
import type { OperationsPort } from "./operations-port.ts"
import { loadPrometheus } from "./prometheus.ts"
import { metricsOfProcess, reportOn } from "./report.ts"
import type { Reporting } from "./report.ts"
import { problemsOf } from "./stats.ts"
import { answerPrimary } from "./worker-reports.ts"

/** Operations that are being served. */
export interface OperationsListening {
  /** The URL of the port; `undefined` when there is none. A worker has none, because it answers its primary only. */
  readonly url: string | undefined
  /** May be called more than once. */
  close(): Promise<void>
}

/**
 * Serves a server's report on a port of its own. A worker answers its primary's questions instead, because the primary's
 * report covers all workers.
 * @throws ConfigError when `prom-client` is not installed; RollcallError `address_in_use`
 */
export async function listenForOperations(
  server: Reporting,
  operations: OperationsPort | undefined,
  logger: Logger,
): Promise<OperationsListening> {
  if (server.role === "worker") return answerQuestions(server, logger)
  if (operations === undefined) return { url: undefined, close: async () => undefined }
  const { port, host } = operationsAddress(operations)
  const http = createServer(operationsHandler(await reportOn(server), logger))
  const address = await openPort(http, { port, host }, (error) => {
    logger.error("an HTTP server reported an error", { port, error })
  })
  const close = once(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  return { url: urlOf(host, address.port), close }
}

function answerQuestions(server: Reporting, logger: Logger): OperationsListening {
  const questions = {
    problems: () => problemsOf(server.stats()),
    metrics: async () => metricsOfProcess(server, await loadPrometheus()),
  }
  const stop = answerPrimary(questions, (error) => logger.error("a report failed", { error }))
  return { url: undefined, close: async () => stop() }
}
