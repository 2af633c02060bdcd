import { ConfigError, kindOf } from "../error.ts"

/** @throws ConfigError if the name of a service is not a text */
export function checkService(service: unknown): asserts service is string {
  if (typeof service === "string" && service !== "") return
  const got = service === "" ? "an empty one" : kindOf(service)
  throw new ConfigError(`expected the name of a service to be a text, got ${got}`)
}
