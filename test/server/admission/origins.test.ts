import { describe, expect, it } from "vitest"
import { createServer } from "../../../src/server/index.ts"
import { originAllowed } from "../../../src/server/admission/origins.ts"
import type { Origins } from "../../../src/server/admission/origins.ts"

const REQUESTED = new URL("http://rollcall.example:4000/socket/websocket")

const allowed = (origins: Origins, origin: string | undefined): boolean => originAllowed(origins, origin, REQUESTED)

describe("the option origins (P3)", () => {
  it.each<[Origins, string | undefined, boolean]>([
    [true, undefined, true],
    [["//a.com"], undefined, true],
    [true, "http://rollcall.example", true],
    [true, "https://rollcall.example:8443", true],
    [true, "http://evil.example", false],
    [true, "http://rollcall.example.evil.example", false],
    [true, "null", false],
    [true, "no origin", false],
    [false, "http://evil.example", true],
    [false, "null", true],
    ["conn", "http://rollcall.example:4000", true],
    ["conn", "https://rollcall.example:4000", false],
    ["conn", "http://rollcall.example", false],
    [["https://a.com"], "https://a.com", true],
    [["https://a.com"], "https://A.com", true],
    [["https://A.com"], "https://a.com", true],
    [["https://a.com"], "https://a.com:8443", false],
    [["https://a.com:443"], "https://a.com", true],
    [["https://a.com:8443"], "https://a.com:8443", true],
    [["https://*.a.com"], "https://x.a.com:8443", false],
    [["//a.com"], "https://a.com:8443", true],
    [["app://a.com"], "app://a.com", true],
    [["app://a.com"], "app://a.com:1", true],
    [["https://a.com"], "http://a.com", false],
    [["//a.com:888"], "http://a.com:888", true],
    [["//a.com:888"], "https://a.com:888", true],
    [["//a.com:888"], "http://a.com", false],
    [["//a.com:443"], "https://a.com", true],
    [["//a.com:80"], "https://a.com", false],
    [["//*.a.com"], "https://x.a.com", true],
    [["//*.a.com"], "https://x.y.a.com", true],
    [["//*.a.com"], "https://a.com", true],
    [["//*.a.com"], "https://xa.com", false],
    [["//[::1]:888"], "http://[::1]:888", true],
    [["//b.com", "//a.com"], "http://a.com", true],
    [[], "http://a.com", false],
    [({ hostname }) => hostname.endsWith(".test"), "http://a.test", true],
    [({ hostname }) => hostname.endsWith(".test"), "http://a.com", false],
  ])("%j allows a page of %s: %s", (origins, origin, isAllowed) => {
    expect(allowed(origins, origin)).toBe(isAllowed)
  })

  it.each(["a.com", "https://a.com/", "https://a.com/path", "//a.*", "//", "https:a.com", ""])(
    "throws a ConfigError for the pattern %j, which no origin could match",
    (pattern) => {
      const server = createServer()
      expect(() => server.socket("/socket", { origins: [pattern] })).toThrowError(
        expect.objectContaining({ code: "config" }),
      )
    },
  )
})
