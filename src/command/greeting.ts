import { DEFAULT_HOST } from "./settings.ts"
import type { Settings } from "./settings.ts"
import type { Started } from "./start.ts"

/** Hosts that stand for all network interfaces: nobody can connect to them by these names. */
const ALL_INTERFACES: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

/** Returns what the command prints once it listens: where to look, and who may connect. */
export function greeting(
  settings: Settings,
  { listening, paths, topics, isOwnSocket }: Started,
  version: string,
): string {
  const { host, file } = settings
  const isLocal = host === DEFAULT_HOST || ALL_INTERFACES.has(host)
  const url = isLocal ? `http://localhost:${listening.port}` : listening.url
  const { operations } = listening
  const rows = [
    ...(settings.page ? [["page", `${url}/`]] : []),
    ...paths.map((path) => ["clients", `${url.replace("http", "ws")}${path}`]),
    ["rooms", topics.length === 0 ? "none: the file adds no channel, so every join is refused" : roomsOf(topics)],
    ...(operations === undefined
      ? []
      : [
          ["metrics", `${operations}/metrics`],
          ["health", `${operations}/health, ${operations}/ready`],
        ]),
    ...(settings.workers === undefined ? [] : [["workers", String(settings.workers)]]),
    ...(file === undefined ? [] : [["handlers", file]]),
  ]
  const lines = [
    `rollcall ${version} listens on ${url}`,
    ...rows.map(([name = "", text]) => `  ${name.padEnd(9)}${text}`),
  ]
  return [...lines, ...advice(settings, isOwnSocket), "Ctrl-C stops the server.", ""].join("\n")
}

const roomsOf = (topics: readonly string[]): string => (topics.includes("*") ? "of any name" : topics.join(", "))

function advice({ host, file, secret }: Settings, isOwnSocket: boolean): string[] {
  const lines: string[] = []
  if (isOwnSocket && secret !== undefined) lines.push("Clients need a token that is signed with ROLLCALL_SECRET.")
  if (isOwnSocket && secret === undefined) {
    const rooms = file === undefined ? "may enter any room" : "may connect"
    const rules = file === undefined ? "For rules of your own: rollcall handlers.js." : "Or add a socket in the file."
    lines.push(
      `Open to all: everybody who reaches this port ${rooms} under any name. For development only.`,
      `To check tokens, set ROLLCALL_SECRET. ${rules} See rollcall --help.`,
    )
  }
  if (host === DEFAULT_HOST) lines.push("Only this machine can connect; --host 0.0.0.0 lets others in.")
  return lines
}
