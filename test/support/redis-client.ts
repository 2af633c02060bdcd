import { createClient } from "redis"

/** Connects a client to a Redis server. The driver's own limit of 5 s is too short on a busy machine. */
export const redisClient = (url: string) => createClient({ url, socket: { connectTimeout: 60_000 } }).connect()
