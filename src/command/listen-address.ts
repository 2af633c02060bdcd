import { createServer } from "node:net"
import { ConfigError } from "../error.ts"
import { quote } from "../quote.ts"

interface Address {
  readonly port: number
  readonly host: string
}

/**
 * Opens an address, and closes it again. Worker processes would each report why they cannot open it.
 *
 * A port that is in use is left to `listen`, which reports it as it does without workers.
 * @throws the operating system's error
 */
export async function tryAddress({ port, host }: Address): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve() : reject(error)))
    server.listen({ port, host }, () => server.close(() => resolve()))
  })
}

/** What Node adds to an error of the operating system. */
interface SystemError extends NodeJS.ErrnoException {
  readonly address?: string
  readonly hostname?: string
  readonly port?: number
}

/** The codes of an address that is of another machine, or of none. */
const FOREIGN: ReadonlySet<unknown> = new Set(["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN", "EINVAL"])

/** Returns what to report for an error of the operating system that says that an address cannot be opened; any other error unchanged. */
export function addressError(error: unknown, address: Address): unknown {
  if (!(error instanceof Error) || !("syscall" in error)) return error
  const { code, port = address.port, ...found } = error as SystemError
  if (code === "EACCES") {
    const remedy =
      port < 1024 ? "only root opens those below 1024 on most systems; 4000 is free to all" : "use another one"
    return new ConfigError(`expected a port that this user may open, got ${port}: ${remedy}`, { cause: error })
  }
  if (!FOREIGN.has(code)) return error
  const host = quote(found.address ?? found.hostname ?? address.host)
  const remedy = "127.0.0.1 is for this machine only, 0.0.0.0 lets others connect"
  return new ConfigError(`expected an address of this machine to listen on, got ${host} (${code}): ${remedy}`, {
    cause: error,
  })
}
