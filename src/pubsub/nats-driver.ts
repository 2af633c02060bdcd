/**
 * The part of the package `@nats-io/transport-node` that is used here. Its own types fail under `exactOptionalPropertyTypes`,
 * and importing them would pass these errors on to the users of this package.
 */
export interface NatsDriver {
  connect(options: Record<string, unknown>): Promise<NatsConnection>
}

export interface NatsConnection {
  readonly info?: { readonly max_payload: number }
  /** Internal to the driver. */
  readonly protocol?: { readonly transport?: { readonly socket?: { destroy(): void } } }
  subscribe(subject: string, options: { callback(error: Error | null, message: NatsMessage): void }): NatsSubscription
  publish(subject: string, payload: Uint8Array): void
  flush(): Promise<void>
  reconnect(): Promise<void>
  /** Returns the address of the server to which it is or was connected. */
  getServer?(): string
  status(): AsyncIterable<{ readonly type: string; readonly error?: NatsError }>
  close(): Promise<void>
}

export interface NatsMessage {
  readonly data: Uint8Array
}

export interface NatsSubscription {
  readonly closed: Promise<Error | undefined>
  isClosed(): boolean
  unsubscribe(): void
}

/** An error that the server sent; with an operation and a subject if it refuses that operation. */
export interface NatsError extends Error {
  readonly operation?: string
  readonly subject?: string
}

/** Returns the servers, and the credentials of the first URL that has any: the driver ignores credentials in a URL. */
export function addressOf(servers: string[]): { servers: string[]; user?: string; pass?: string; token?: string } {
  for (const server of servers) {
    const [, user, pass] = /^\w+:\/\/([^:@/]+)(?::([^@/]*))?@/.exec(server) ?? []
    if (user === undefined) continue
    const name = decodeURIComponent(user)
    return pass === undefined ? { servers, token: name } : { servers, user: name, pass: decodeURIComponent(pass) }
  }
  return { servers }
}

/** The servers from which the driver chooses one, before it connects. The first one is its own choice. */
type NatsPool = readonly { readonly listen?: string }[]

/**
 * Returns the driver's option that delays the first reconnect after each time that `isFirst` returns true, by up to
 * `maxMs`.
 *
 * The driver's own delays apply from the second attempt on. All nodes lose a server at the same instant, and without this
 * delay they would also reconnect to another one at the same instant.
 *
 * The first attempt is made at another server than the lost one, if there is another. The driver would try the lost one, and
 * wait 5 s for it if it is suspended.
 *
 * @param lost returns the address of the server that was lost
 */
export function delayFirstReconnect(
  isFirst: () => boolean,
  lost: () => string | undefined,
  maxMs: number,
  random: () => number,
): object {
  return {
    reconnectToServer(pool: NatsPool) {
      const server = pool.find(({ listen }) => listen !== lost()) ?? pool[0]
      return server === undefined || !isFirst() ? null : { server, delay: Math.ceil(random() * maxMs) }
    },
  }
}
