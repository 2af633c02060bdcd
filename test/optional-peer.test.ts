import { expect, test } from "vitest"
import { ConfigError } from "../src/error.ts"
import { loadOptionalPeer } from "../src/optional-peer.ts"

test("a missing optional peer is a ConfigError that names the feature, the package, and the command that installs it", async () => {
  const missing: string = "no-such-package"
  const attempt = loadOptionalPeer("Tokens need", "jose", () => import(missing))
  await expect(attempt).rejects.toBeInstanceOf(ConfigError)
  await expect(attempt).rejects.toThrow("Tokens need the package jose, which could not be loaded: npm install jose")
})
