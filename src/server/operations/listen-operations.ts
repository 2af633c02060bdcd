import { createServer } from "node:http"
import { openPort, urlOf } from "../port.ts"
import type { ListenOptions } from "../lifecycle/listen.ts"
import type { Logger } from "../logger.ts"
import { problemsOf } from "./stats.ts"
import { operationsHandler } from "./handler.ts"
import { loadPrometheus } from "./prometheus.ts"
import { metricsOfProcess, reportOn } from "./report.ts"
import type { Reporting } from "./report.ts"
import { answerPrimary } from "./worker-reports.ts"

/** Operations that are served. */
export interface Operating {
  /** Where; `undefined` when it is nobody's but the primary's to ask. */
  readonly url: string | undefined
  close(): Promise<void>
}

/** Clients need not see a server's insides: who is to reach them from elsewhere has to be let in by name. */
const HOST = "127.0.0.1"

/**
 * Serves what a server has to say of itself on a port of its own; a worker answers its primary instead, which serves for all.
 * @throws ConfigError when `prom-client` is not installed; RollcallError `address_in_use`
 */
export async function operate(
  server: Reporting,
  operations: ListenOptions["operations"],
  logger: Logger,
): Promise<Operating> {
  if (server.role === "worker") return answering(server, logger)
  if (operations === undefined) return { url: undefined, close: async () => undefined }
  const { port, host = HOST } = typeof operations === "number" ? { port: operations } : operations
  const http = createServer(operationsHandler(await reportOn(server), logger))
  const address = await openPort(http, port, host)
  return {
    url: urlOf(host, address.port),
    async close() {
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

function answering(server: Reporting, logger: Logger): Operating {
  const questions = {
    problems: () => problemsOf(server.stats()),
    metrics: async () => metricsOfProcess(server, await loadPrometheus()),
  }
  const stop = answerPrimary(questions, (error) => logger.error("a report failed", { error }))
  return { url: undefined, close: async () => stop() }
}
