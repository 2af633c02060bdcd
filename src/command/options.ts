import { parseArgs } from "node:util"
import { ConfigError } from "../error.ts"
import { quote } from "../quote.ts"
import { nearestName } from "../nearest-name.ts"

/** The options of the command, as `parseArgs` takes them. */
const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  workers: { type: "string" },
  origin: { type: "string", multiple: true },
  pubsub: { type: "string", multiple: true },
  operations: { type: "string" },
  "no-page": { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
} as const

type OptionName = keyof typeof OPTIONS

/** The arguments of the command: what was given for each option, unchecked, and the other arguments. */
export interface Arguments {
  readonly values: {
    readonly port?: string
    readonly host?: string
    readonly workers?: string
    readonly origin?: readonly string[]
    readonly pubsub?: readonly string[]
    /** Empty for `--operations` without a port. */
    readonly operations?: string
    readonly "no-page"?: boolean
    readonly help?: boolean
    readonly version?: boolean
  }
  readonly positionals: readonly string[]
}

const NAMES = Object.keys(OPTIONS)
/** Options that a user may try for the secret. Their values must not be repeated. */
const SECRETS: ReadonlySet<string> = new Set(["secret", "token", "token-secret", "password"])

/**
 * Splits the arguments of the command into options and positional arguments.
 *
 * No message contains the value of an unknown option: it may be a secret.
 * @throws ConfigError for an unknown option, a missing or unexpected value, and an option that is given twice
 */
export function splitArguments(args: readonly string[]): Arguments {
  const given = withOptionalPort(args)
  checkDashes(given)
  // Not strict, so that the messages are our own: they name the nearest option.
  const { values, positionals, tokens } = parseArgs({
    args: given,
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const seen = new Set<string>()
  for (const token of tokens) {
    if (token.kind !== "option") continue
    checkOption(token.name, token.rawName, token.value, token.inlineValue === true)
    const isMultiple = "multiple" in OPTIONS[token.name as OptionName]
    if (seen.has(token.name) && !isMultiple) throw new ConfigError(`expected ${token.rawName} once, got it twice`)
    seen.add(token.name)
  }
  return { values: values as Arguments["values"], positionals }
}

/** A port, or a host and a port, and no path of a file. */
const ADDRESS = /^(\d+|[^-/\\][^/\\]*:[^/\\]*)$/

/** Gives `--operations` an empty value where no port follows, because to `parseArgs` an option with a value always has one. */
function withOptionalPort(args: readonly string[]): string[] {
  const end = args.indexOf("--")
  return args.map((arg, at) => {
    const isBare = arg === "--operations" && (end === -1 || at < end)
    return isBare && !ADDRESS.test(args[at + 1] ?? "") ? "--operations=" : arg
  })
}

/** @throws ConfigError for `-port`, which `parseArgs` reads as four options of one letter */
function checkDashes(args: readonly string[]): void {
  const end = args.indexOf("--")
  for (const [at, arg] of args.slice(0, end === -1 ? args.length : end).entries()) {
    const [, name] = /^-([a-z][a-z-]+)/.exec(arg) ?? []
    // What follows an option with a value is reported as its value.
    if (name !== undefined && !isOptionWithValue(args[at - 1])) throw unknownOption(name, `-${name}`)
  }
}

const isOptionWithValue = (arg: string | undefined): boolean =>
  arg !== undefined && arg.startsWith("--") && OPTIONS[arg.slice(2) as OptionName]?.type === "string"

function checkOption(name: string, rawName: string, value: string | undefined, isInline: boolean): void {
  if (!Object.hasOwn(OPTIONS, name)) throw unknownOption(name, rawName)
  if (OPTIONS[name as OptionName].type === "boolean") {
    if (value !== undefined) throw new ConfigError(`expected ${rawName} without a value, got one`)
    return
  }
  // An option in the place of a value: the value has been forgotten.
  const isOption = !isInline && value?.startsWith("-") === true
  const got = value === undefined ? "none" : isOption ? nameOnly(value) : undefined
  if (got !== undefined) throw new ConfigError(`expected a value after ${rawName}, got ${got}`)
}

const nameOnly = (option: string): string => quote(option.replace(/=.*/s, "="))

function unknownOption(name: string, rawName: string): ConfigError {
  if (SECRETS.has(name)) {
    return new ConfigError(
      `expected the secret in the environment variable ROLLCALL_SECRET, got ${rawName}: other users of a machine can read ` +
        `the arguments of its processes`,
    )
  }
  const nearest = nearestName(name, NAMES)
  const remedy = nearest === undefined ? "see rollcall --help" : `did you mean --${nearest}?`
  return new ConfigError(`expected an option of rollcall, got ${nameOnly(rawName)}: ${remedy}`)
}
