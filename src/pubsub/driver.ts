import { ConfigError } from "../error.ts"

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
