import { ConfigError } from "./error.ts"

/**
 * Loads an optional peer dependency.
 *
 * @param feature what needs the package, as the subject of the message: `"Tokens need"`
 * @throws ConfigError if it cannot be loaded; the message names the package to install
 */
export async function loadOptionalPeer<Module>(
  feature: string,
  name: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load()
  } catch (cause) {
    throw new ConfigError(`${feature} the package ${name}, which could not be loaded: npm install ${name}`, { cause })
  }
}
