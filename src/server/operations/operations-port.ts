import { ConfigError, kindOf } from "../../error.ts"
import { checkKnownNames } from "../../known-names.ts"
import { portOf } from "../port.ts"

/**
 * A port for operations: a port, with the host `127.0.0.1`, or a port and a host. With port 0 the operating system picks a
 * free port.
 */
export type OperationsPort = number | string | { readonly port: number | string; readonly host?: string }

/** The default host, which only this machine can reach. Reports are not for clients. */
const DEFAULT_HOST = "127.0.0.1"

/** Returns the port as a number, and the host. @throws ConfigError for a value that is no port number */
export function operationsAddress(operations: OperationsPort): { readonly port: number; readonly host: string } {
  if (typeof operations === "object") checkKnownNames("a part of operations", operations, { port: true, host: true })
  const { port, host = DEFAULT_HOST } =
    typeof operations === "object" && operations !== null ? operations : { port: operations }
  if (typeof host !== "string") {
    throw new ConfigError(`expected the host for operations to be a name or an address, got ${kindOf(host)}`)
  }
  return { port: portOf("a port for operations", port), host }
}
