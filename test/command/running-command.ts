import { spawn } from "node:child_process"
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { consumer, manifest } from "../package/consumer.js"

/** A folder in which the package and these others are installed, with the command where npm puts it. */
export interface Installation {
  readonly folder: string
  remove(): Promise<void>
  /** Writes a file into the folder. */
  write(name: string, text: string): Promise<void>
}

/** Installs the built package as npm does: the command is a link in `node_modules/.bin`. */
export async function installCommand(packages: readonly string[]): Promise<Installation> {
  const { folder, remove } = await consumer([...packages])
  const program = join(folder, "node_modules/rollcall", manifest.bin.rollcall)
  await chmod(program, 0o755)
  await mkdir(join(folder, "node_modules/.bin"))
  await symlink(program, join(folder, "node_modules/.bin/rollcall"))
  return { folder, remove, write: (name, text) => writeFile(join(folder, name), text) }
}

/** A command that is running, or has ended. */
export interface RunningCommand {
  readonly pid: number
  /** What it has printed to its standard output, and to its standard error. */
  printed(): string
  complained(): string
  /** Resolves to the exit code, or to the signal that ended it. */
  readonly ended: Promise<number | string>
  kill(signal: NodeJS.Signals): void
  /** Closes the reading end of its output. */
  stopReading(): void
}

/** Runs the command; ends it when the test has finished. */
export function runCommand(
  { folder }: Installation,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningCommand {
  const { PORT: _port, ROLLCALL_SECRET: _secret, ROLLCALL_PUBSUB: _pubsub, ...inherited } = process.env
  const child = spawn(join(folder, "node_modules/.bin/rollcall"), args, {
    cwd: folder,
    env: { ...inherited, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let [output, errors] = ["", ""]
  child.stdout.on("data", (data) => (output += data))
  child.stderr.on("data", (data) => (errors += data))
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal ?? "nothing"))
  })
  // A signal lets a primary end its workers.
  onTestFinished(async () => {
    child.kill("SIGTERM")
    await ended
  })
  return {
    pid: child.pid as number,
    printed: () => output,
    complained: () => errors,
    ended,
    kill: (signal) => void child.kill(signal),
    stopReading() {
      child.stdout.destroy()
      child.stderr.destroy()
    },
  }
}

/**
 * Returns a printed URL with the address in place of the name. Of a name with two addresses, Node gives the first one 250 ms, and
 * a busy machine may need more: then it tries `::1`, where nobody listens.
 */
export const byAddress = (url: string): string => url.replace("//localhost:", "//127.0.0.1:")

/** A command that listens, and the address that it has printed. */
export type ListeningCommand = RunningCommand & { readonly url: string; readonly port: string }

/** Runs the command on a free port; resolves once it listens. Rejects when it ends before that. */
export async function listenByCommand(
  installation: Installation,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ListeningCommand> {
  const command = runCommand(installation, ["--port", "0", ...args], env)
  let hasEnded = false
  void command.ended.then(() => (hasEnded = true))
  while (!command.printed().includes("Ctrl-C")) {
    if (hasEnded) throw new Error(`expected a command that listens, got one that ended: ${command.complained()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const [, url = "", port = ""] = /listens on (http:\/\/\S+:(\d+))/.exec(command.printed()) ?? []
  return { ...command, url: byAddress(url), port }
}
