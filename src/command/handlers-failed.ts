import { RollcallError } from "../error.ts"

/** Frames of Node and of this command, which say nothing about the file. */
const FOREIGN_FRAME = /^ +at (?:.*[( ])?(?:node:|file:\/\/\S*\/command\/[\w-]+\.[jt]s:\d)/

/** An error of the file with handlers. Its message has the place in the file, which the author needs. */
export class HandlersFailed extends Error {
  override readonly name = "HandlersFailed"

  constructor(file: string, cause: unknown) {
    super(cause instanceof RollcallError ? cause.message : `${file} failed: ${reasonOf(file, cause)}`, { cause })
  }
}

function reasonOf(file: string, cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const lines = (cause.stack ?? String(cause)).split("\n").filter((line) => !FOREIGN_FRAME.test(line))
  // Node does not say where, except at the end of a program.
  const isNowhere = cause instanceof SyntaxError && !lines.some((line) => /^ +at /.test(line))
  if (isNowhere) lines.push(`To see the place: node --check ${file}`)
  return lines.join("\n")
}

/**
 * Runs what belongs to the file with handlers.
 * @throws HandlersFailed with what it has thrown, or when the program has nothing left to wait for, and it has not resolved
 */
export async function ofFile<Result>(file: string, run: () => Promise<Result>): Promise<Result> {
  let report: () => void
  const never = new Promise<never>((_, reject) => {
    report = (): void => {
      const got = "one that waits for a promise that nothing resolves"
      reject(new RollcallError("config", `expected ${file} to finish adding its handlers, got ${got}`))
    }
    process.once("beforeExit", report)
  })
  try {
    return await Promise.race([run(), never])
  } catch (cause) {
    throw new HandlersFailed(file, cause)
  } finally {
    process.off("beforeExit", report!)
  }
}
