import { ConfigError, RollcallError } from "../error.ts"

/** Loads an engine's driver, an optional peer; throws a `ConfigError` that says what to install. */
export async function loadDriver<Driver>(name: string, load: () => Promise<Driver>): Promise<Driver> {
  try {
    return await load()
  } catch (cause) {
    throw new ConfigError(`This engine needs the package ${name}, which could not be loaded: npm install ${name}`, {
      cause,
    })
  }
}

/**
 * Why the first connection to an engine failed: `RollcallError` `engine_unreachable`.
 * The address stays out of the message, since it may hold a password.
 */
export function unreachable(engine: string, cause: unknown): RollcallError {
  const said = cause instanceof Error ? cause.message : String(cause)
  return new RollcallError("engine_unreachable", `A ${engine} server was expected to answer; instead: ${said}`, {
    cause,
  })
}
