import { serverProcess, type ServerProcess } from "./server-process.ts"

/** A redis-server that keeps nothing on disk. */
export function redisServer(): Promise<ServerProcess> {
  return serverProcess("redis-server", (port) => [
    "--port",
    `${port}`,
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
  ])
}
