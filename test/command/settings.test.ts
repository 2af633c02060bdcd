import { describe, expect, test } from "vitest"
import { nearestName } from "../../src/nearest-name.ts"
import { commandOf } from "../../src/command/settings.ts"

const settingsOf = (args: readonly string[], env: Record<string, string> = {}) => {
  const command = commandOf(args, env)
  if (command.does !== "serve") throw new Error(`expected settings, got ${command.does}`)
  return command.settings
}

const DEFAULTS = { port: 4000, host: "127.0.0.1", origins: true, pubsub: [], page: true }

describe("the settings", () => {
  test.for<[string[], Record<string, string>, object]>([
    [[], {}, {}],
    [["--port", "1"], { PORT: "2" }, { port: 1 }],
    [[], { PORT: "2" }, { port: 2 }],
    [["--port=0"], {}, { port: 0 }],
    [["--host", "::"], {}, { host: "::" }],
    [["--workers", "4"], {}, { workers: 4 }],
    [["--origin", "https://a.example", "--origin=//b.example"], {}, { origins: ["https://a.example", "//b.example"] }],
    [["--origin", "*"], {}, { origins: false }],
    [["--pubsub", "rediss://u:p@h:1"], { ROLLCALL_PUBSUB: "nats://h" }, { pubsub: ["rediss://u:p@h:1"] }],
    [["--pubsub", "nats://a", "--pubsub", "nats://b"], {}, { pubsub: ["nats://a", "nats://b"] }],
    [[], { ROLLCALL_PUBSUB: "nats://h" }, { pubsub: ["nats://h"] }],
    [["--operations"], {}, { operations: { port: 4001, host: "127.0.0.1" } }],
    [["--operations", "--port", "0"], {}, { port: 0, operations: { port: 0, host: "127.0.0.1" } }],
    [["--operations", "--port", "65535"], {}, { port: 65_535, operations: { port: 0, host: "127.0.0.1" } }],
    [["--operations", "9090"], {}, { operations: { port: 9090, host: "127.0.0.1" } }],
    [["--operations", "0.0.0.0:9090"], {}, { operations: { port: 9090, host: "0.0.0.0" } }],
    [["--operations=[::1]:9090"], {}, { operations: { port: 9090, host: "::1" } }],
    [["--operations", "./a.js"], {}, { operations: { port: 4001, host: "127.0.0.1" }, file: "./a.js", page: false }],
    [["a.js"], {}, { file: "a.js", page: false }],
    [["--", "--operations"], {}, { file: "--operations", page: false }],
    [["--no-page"], {}, { page: false }],
    [[], { ROLLCALL_SECRET: "x".repeat(32) }, { secret: "x".repeat(32), page: false }],
  ])("of %j and %j", ([args, env, expected]) => {
    expect(settingsOf(args, env)).toEqual({ ...DEFAULTS, ...expected })
  })
})

describe("an argument is refused:", () => {
  test.for<[string[], RegExp]>([
    [["--prot", "1"], /got "--prot": did you mean --port\?/],
    [["--ports"], /did you mean --port\?/],
    [["--wokrers=2"], /got "--wokrers": did you mean --workers\?/],
    [["--worker", "2"], /did you mean --workers\?/],
    [["--origins", "x"], /did you mean --origin\?/],
    [["--pub-sub", "redis://h"], /did you mean --pubsub\?/],
    [["--redis", "x"], /got "--redis": see rollcall --help/],
    [["--op"], /did you mean --operations\?/],
    [["--nopage"], /did you mean --no-page\?/],
    [["-p", "1"], /got "-p": did you mean --port\?/],
    [["-port", "1"], /got "-port": did you mean --port\?/],
    [["--page"], /got "--page": see rollcall --help/],
    [["--port"], /expected a value after --port, got none/],
    [["--port", "--host", "x"], /expected a value after --port, got "--host"/],
    [["--port", "-1"], /expected a value after --port, got "-1"/],
    [["--port", "http"], /expected --port from 0 to 65535, got "http"/],
    [["--port", "70000"], /got "70000"/],
    [["--port", "1", "--port", "2"], /expected --port once/],
    [["--host="], /expected --host to be the address/],
    [["--workers", "0"], /expected --workers to be a whole number from 1 to 1024, got "0"/],
    [["--workers", "100000"], /from 1 to 1024, got "100000"/],
    [["--workers", "1.5"], /got "1.5"/],
    [["--workers", "many"], /got "many"/],
    [["--origin", "a.example"], /expected an origin like .* got "a.example"/],
    [["--operations", "host:port"], /expected --operations to be a port/],
    [["--pubsub", "kafka://u:hunter2@h"], /expected --pubsub to be redis:.* got a URL that begins with "kafka:"/],
    [["--pubsub", "hunter2"], /got a text that is no URL/],
    [["--pubsub", "redis://h:hunter2"], /got a text that is no URL/],
    [["--pubsub", "user:hunter2@h"], /got a text that is no URL/],
    [["--pubsub", "hunter2:x"], /got a text that is no URL/],
    [["--pubsub", "redis://h", "--pubsub", "nats://h"], /expected the servers of one bus/],
    [["--secret", "hunter2"], /expected the secret in the environment variable ROLLCALL_SECRET, got --secret/],
    [["--secret=hunter2"], /ROLLCALL_SECRET/],
    [["--sceret=hunter2"], /got "--sceret"/],
    [["-secret=hunter2"], /ROLLCALL_SECRET/],
    [["--help=1"], /expected --help without a value/],
    [["a.js", "b.js"], /expected one file with handlers, got 2/],
    [[""], /expected the path of a file with handlers, got an empty one/],
    [["4000"], /for a port, write --port 4000/],
  ])("%j", ([args, message]) => {
    let text = ""
    try {
      commandOf(args, {})
    } catch (error) {
      expect(error).toMatchObject({ code: "config" })
      text = (error as Error).message
    }
    expect(text).toMatch(message)
    expect(text).not.toContain("hunter2")
    expect(text).not.toContain("\n")
  })

  test.for<[Record<string, string>, RegExp]>([
    [{ PORT: "" }, /expected PORT from 0 to 65535, got ""/],
    [{ ROLLCALL_PUBSUB: "" }, /expected ROLLCALL_PUBSUB to be redis:/],
    [{ ROLLCALL_SECRET: "" }, /at least 32 bytes, got 0/],
  ])("a variable that is set, and wrong: %j", ([env, message]) => {
    expect(() => commandOf([], env)).toThrow(message)
  })
})

test.for([
  ["prt", "port"],
  ["tropp", undefined],
  ["versoin", "version"],
  ["hsot", "host"],
  ["", undefined],
  ["xyz", undefined],
] as const)("the name that was meant by %j is %j", ([given, meant]) => {
  expect(nearestName(given, ["port", "host", "workers", "help", "version"])).toBe(meant)
})
