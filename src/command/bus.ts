import { ConfigError } from "../error.ts"
import type { PubSub } from "../pubsub/pubsub.ts"

/** The buses by the schemes of their URLs: the package that each needs, and how it is connected. */
const BUSES: readonly {
  readonly schemes: readonly string[]
  readonly driver: string
  connect(urls: readonly string[]): Promise<PubSub>
}[] = [
  {
    schemes: ["redis:", "rediss:"],
    driver: "redis",
    connect: async (url) => (await import("../pubsub/redis.ts")).redis({ url }),
  },
  {
    schemes: ["nats:", "tls:"],
    driver: "@nats-io/transport-node",
    connect: async (url) => (await import("../pubsub/nats.ts")).nats({ url }),
  },
]

const busOf = (url: string) => BUSES.find(({ schemes }) => schemes.includes(schemeOf(url) ?? ""))

const schemeOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).protocol : undefined)

/**
 * Checks the URLs of a bus.
 * @param name names the option or variable in the message
 * @throws ConfigError without the URL, which may contain a password
 */
export function checkBusUrls(name: string, urls: readonly string[]): void {
  for (const url of urls) {
    if (busOf(url) !== undefined) continue
    // Without the slashes, what comes before the colon may be a user or a secret: `user:secret@host`.
    const scheme = /^[a-z]{1,20}:(?=\/\/)/i.exec(url)?.[0]
    const isUrl = scheme !== undefined && URL.canParse(url)
    const got = isUrl ? `a URL that begins with ${JSON.stringify(scheme)}` : "a text that is no URL"
    throw new ConfigError(`expected ${name} to be redis://host:port, rediss://… or nats://host:port, got ${got}`)
  }
  const [first, ...others] = urls.map(busOf)
  if (others.every((bus) => bus === first)) return
  throw new ConfigError(`expected the servers of one bus for ${name}, got some of Redis and some of NATS`)
}

/** Returns the package that a bus needs, or `undefined` if there is no bus. */
export const driverOf = (urls: readonly string[]): string | undefined => urls.map(busOf)[0]?.driver

/**
 * Connects to a bus. Returns `undefined` without a URL.
 * @throws ConfigError without the driver; RollcallError `engine_unreachable`
 */
export async function connectBus(urls: readonly string[]): Promise<PubSub | undefined> {
  return urls.map(busOf)[0]?.connect(urls)
}
