/** Writes what a connection does, one line each, for a developer who looks for a mistake. */
import { guard } from "../listeners.ts"
import type { Clock } from "../timers.ts"
import { reportThrown } from "./callback-errors.ts"

/** The option `debug`. */
export type Debug = boolean | ((line: string) => void)

/** Writes a line about a topic, or about the connection if the topic is empty. Details are texts, or become JSON. */
export type Trace = (topic: string, ...details: unknown[]) => void

/** The names of values that must not appear in a log or in a bug report. */
const SECRETS = /token|secret|passw|jwt/i
const MAX_LENGTH = 300

const textOf = (detail: unknown): unknown =>
  typeof detail === "string"
    ? detail
    : JSON.stringify(detail, (name, value: unknown) => (SECRETS.test(name) ? "..." : value))?.slice(0, MAX_LENGTH)

/**
 * Returns a function that writes lines if the option asks for them, or else the page's `localStorage["rollcall:debug"]`: a topic,
 * or a prefix of topics and `*`.
 */
export function createTrace(debug: Debug | undefined, timers: Clock): Trace {
  let pattern: string | Debug | undefined = debug
  try {
    pattern ??= window.localStorage["rollcall:debug"] as string
  } catch {
    // Outside of pages, and in a sandboxed page, there is no storage.
  }
  if (!pattern) return () => {}
  const [prefix = "", rest] = typeof pattern === "string" ? pattern.split("*") : ["", ""]
  // oxlint-disable-next-line no-console
  const write = typeof debug === "function" ? debug : console.log
  return (topic, ...details) => {
    if (topic && (rest === "" ? !topic.startsWith(prefix) : topic !== prefix)) return
    guard(reportThrown, () =>
      write(`rollcall ${Math.round(timers.now())} ms ${[topic, ...details.map(textOf)].join(" ").trim()}`),
    )
  }
}
