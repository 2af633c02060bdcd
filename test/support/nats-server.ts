import { serverProcess, type ServerProcess } from "./server-process.ts"

/** A nats-server with its defaults, `max_payload` 1 MiB among them. */
export function natsServer(more: readonly string[] = []): Promise<ServerProcess> {
  return serverProcess("nats-server", (port) => ["--addr", "127.0.0.1", "--port", `${port}`, ...more])
}
