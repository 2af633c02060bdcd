import { ConfigError, kindOf } from "../error.ts"
import { isObject } from "../json.ts"
import { checkKnownNames } from "../known-names.ts"
import type { Names } from "../known-names.ts"
import type { CallOptions } from "./call-options.ts"
import type { PlacedKind, PlaceOptions } from "./placement.ts"
import type { AnnounceOptions } from "./registry.ts"
import type { ServeOptions, ServicesOptions } from "./services.ts"
import { checkSecret } from "./signature.ts"

const SERVICES: Names<keyof ServicesOptions> = {
  tracker: true,
  pubsub: true,
  timers: true,
  random: true,
  wallClock: true,
  secret: true,
  limits: true,
  count: true,
  onError: true,
}
const ANNOUNCE: Names<keyof AnnounceOptions> = { meta: true, weight: true, zone: true }
const SERVE: Names<keyof ServeOptions> = { ...ANNOUNCE, context: true }
const PLACE: Names<keyof PlaceOptions> = {
  weight: true,
  movesPerSecond: true,
  maxHeldCalls: true,
  handOverMs: true,
  aloneAfterMs: true,
}
const KIND: Names<keyof PlacedKind> = { start: true, stop: true, merge: true, router: true }
const CALL: Names<keyof CallOptions> = {
  route: true,
  timeoutMs: true,
  retries: true,
  idempotent: true,
  signal: true,
  traceparent: true,
}

/** Returns options unchanged. @throws ConfigError for an unknown name */
type Check = <Options extends object>(options: Options) => Options

function checked(what: string, known: object): Check {
  return (options) => {
    if (!isObject(options)) {
      const all = what.replace(/^an? (\w+)/, "the $1s")
      throw new ConfigError(`expected ${all} to be an object, got ${kindOf(options)}`)
    }
    checkKnownNames(what, options, known)
    return options
  }
}

/** Returns the options unchanged. @throws ConfigError for an unknown name, or a secret that is too short */
export function servicesOptions(options: ServicesOptions): ServicesOptions {
  if (servicesNames(options).secret !== undefined) checkSecret(options.secret)
  return options
}

const servicesNames: Check = checked("an option of createServices", SERVICES)
export const announceOptions: Check = checked("an option of announce", ANNOUNCE)
export const serveOptions: Check = checked("an option of serve", SERVE)
export const placeOptions: Check = checked("an option of place", PLACE)
export const placedKind: Check = checked("a part of a placed kind", KIND)
export const callOptions: Check = checked("an option of a call", CALL)
