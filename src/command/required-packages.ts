import { ConfigError } from "../error.ts"
import { driverOf } from "./bus.ts"
import type { Settings } from "./settings.ts"

/** Returns the optional packages that these settings need. */
export function requiredPackages({ pubsub, operations, secret, file }: Settings): string[] {
  const driver = driverOf(pubsub)
  return [
    "ws",
    ...(driver === undefined ? [] : [driver]),
    ...(operations === undefined ? [] : ["prom-client"]),
    // A file may check tokens of another kind.
    ...(secret === undefined || file !== undefined ? [] : ["jose"]),
  ]
}

/**
 * Checks all packages at once, so that one installation is enough.
 *
 * They must be installed beside rollcall. `npx` runs a package that is not installed in the folder from a cache, from
 * which the packages of the folder cannot be loaded.
 * @param isInstalled whether a package can be loaded
 * @throws ConfigError that names all missing packages, and how to install them
 */
export function checkPackages(names: readonly string[], isInstalled: (name: string) => boolean): void {
  const missing = names.filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  const what = missing.length === 1 ? `the package ${missing[0]}` : `the packages ${missing.join(", ")}`
  const beside = ["rollcall", ...missing]
  throw new ConfigError(
    `expected ${what} beside rollcall, got none: npm install ${beside.join(" ")}, ` +
      `or without an installation: npx ${beside.map((name) => `-p ${name}`).join(" ")} rollcall …`,
  )
}
