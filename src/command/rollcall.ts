#!/usr/bin/env node
/**
 * The command `rollcall`: the reference server with defaults. See `docs/command.md`.
 *
 * With `--workers`, each worker process runs this file, too.
 */
import cluster from "node:cluster"
import { randomUUID } from "node:crypto"
import { readFile } from "node:fs/promises"
import { RollcallError } from "../error.ts"
import { greeting } from "./greeting.ts"
import { HandlersFailed } from "./handlers-failed.ts"
import { HELP } from "./help.ts"
import { checkPackages, requiredPackages } from "./required-packages.ts"
import { commandOf } from "./settings.ts"
import type { Command, Settings } from "./settings.ts"
import { start } from "./start.ts"

/** Exit codes. */
const CANNOT_START = 1
const WRONG_USE = 2

// The server goes on when nobody reads what it prints, as in `rollcall | head -1`.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined)

await run()

async function run(): Promise<void> {
  let command: Command
  try {
    command = commandOf(process.argv.slice(2), process.env)
  } catch (error) {
    return end(WRONG_USE, error)
  }
  if (command.does === "help") return print(HELP)
  const manifest = await readFile(new URL("../../package.json", import.meta.url), "utf8")
  const { version } = JSON.parse(manifest) as { version: string }
  if (command.does === "serve") return serve(command.settings, version)
  print(`${version}\n`)
}

async function serve(settings: Settings, version: string): Promise<void> {
  try {
    checkPackages(requiredPackages(settings), isInstalled)
    const started = await start(settings, randomUUID)
    // One process speaks for all of them.
    if (started.server.role !== "worker") print(greeting(settings, started, version))
  } catch (error) {
    // The primary gets the same error from its workers.
    const isReported = error instanceof RollcallError && error.code === "address_in_use" && cluster.isWorker
    end(CANNOT_START, isReported ? undefined : error)
  }
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

function print(text: string): void {
  process.stdout.write(text)
}

/** Reports an error, and ends the process, also if a file with handlers has left something open. */
function end(code: number, error: unknown): void {
  const text = error === undefined ? "" : `rollcall: ${textOf(error)}\n`
  process.stderr.write(text, () => process.exit(code))
}

/** Returns one line for what a user can set right, and the stack for everything else. */
function textOf(error: unknown): string {
  if (error instanceof RollcallError || error instanceof HandlersFailed) return error.message
  // An error of the operating system.
  if (error instanceof Error && "syscall" in error) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
