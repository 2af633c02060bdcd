import type { IncomingMessage, ServerResponse } from "node:http"
import type { Logger } from "../logger.ts"
import type { Report } from "./report.ts"

/**
 * Answers requests for `/metrics`, `/health` and `/ready`. Passes all other requests to `next`; without `next`, they get 404.
 */
export type OperationsHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/**
 * Returns a handler that serves a report over HTTP.
 *
 * `/health` answers 200 as long as the event loop runs. `/ready` answers 503, with the reasons, while no clients should
 * be sent here.
 */
export function operationsHandler(report: Report, logger: Logger): OperationsHandler {
  const answers = new Map<string | undefined, () => Promise<Answer>>([
    ["/metrics", async () => ({ status: 200, type: report.contentType, body: await report.metrics() })],
    ["/health", async () => json(200, { healthy: true })],
    ["/ready", async () => readiness(await report.problems())],
  ])
  return (request, response, next = () => respond(response, NOT_FOUND)) => {
    const path = request.url?.split("?", 1)[0]
    const answer = answers.get(path)
    if (answer === undefined || (request.method !== "GET" && request.method !== "HEAD")) return next()
    const failed = (error: unknown): Answer => {
      logger.error("a report failed", { path, error })
      return FAILED
    }
    void answer()
      .catch(failed)
      .then((answer) => respond(response, answer))
  }
}

const NOT_FOUND: Answer = { status: 404, type: "text/plain", body: "not found" }
const FAILED: Answer = { status: 500, type: "text/plain", body: "failed" }

function readiness(reasons: readonly string[]): Answer {
  return reasons.length === 0 ? json(200, { ready: true }) : json(503, { ready: false, reasons })
}

function json(status: number, body: object): Answer {
  return { status, type: "application/json", body: JSON.stringify(body) }
}

function respond(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body)
}
