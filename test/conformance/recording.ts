import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** One entry of a recording, as stored in its file. */
export interface Entry {
  readonly t_ms: number
  readonly conn: string
  readonly dir: "out" | "in" | "note"
  readonly frame: unknown
}

/** A step of a recording: the actions of the clients up to the next answer, and the answers that they then received. */
export interface Step {
  readonly actions: readonly Entry[]
  readonly answers: readonly Entry[]
}

export interface Recording {
  readonly name: string
  readonly steps: readonly Step[]
}

/** The notes that are actions of the recorder on the server. All other notes are skipped. */
const SERVER_ACTIONS = new Set(["SIGTERM to the server", "now SIGKILL"])

export const FOLDER = join(import.meta.dirname, "../fixtures/phoenix-wire")

/**
 * Returns the recordings of a folder: `test/fixtures/phoenix-wire`, or the path in the environment variable
 * `PHOENIX_WIRE`.
 */
export function recordings(folder: string = process.env["PHOENIX_WIRE"] ?? FOLDER): Recording[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"))
  files.sort()
  return files.map((file) => {
    const entries = JSON.parse(readFileSync(join(folder, file), "utf8")) as Entry[]
    return { name: file.replace(".json", ""), steps: stepsOf(entries) }
  })
}

function stepsOf(entries: readonly Entry[]): Step[] {
  const steps: { actions: Entry[]; answers: Entry[] }[] = []
  for (const entry of entries) {
    if (entry.dir === "note" && !SERVER_ACTIONS.has(entry.frame as string)) continue
    const last = steps.at(-1)
    if (entry.dir === "in") last?.answers.push(entry)
    else if (last === undefined || last.answers.length > 0) steps.push({ actions: [entry], answers: [] })
    else last.actions.push(entry)
  }
  return steps
}
