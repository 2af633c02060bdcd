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
    [["file://"], "file://", true],
    [["file://"], "FILE://", true],
    [["file://"], "http://a.com", false],
    [["file://"], "null", false],
    [["app://"], "file://", false],
    [true, "file://", false],
    [["app://."], "app://.", true],
    [["null"], "null", true],
    [["null"], "file://", false],
    [["null"], "nonsense", false],
    [["https://a.com"], "null", false],
    ["conn", "null", false],
    [["https://bücher.example"], "https://xn--bcher-kva.example", true],
    [["https://BÜCHER.example"], "https://xn--bcher-kva.example", true],
    [["https://xn--bcher-kva.example"], "https://bücher.example", true],
    [["https://xn--bcher-kva.example"], "https://bÃ¼cher.example", true],
    [["//*.bücher.example"], "https://www.xn--bcher-kva.example:8443", true],
    [["//*.bücher.example"], "https://bucher.example", false],
    [["app://bücher.example"], "app://bücher.example", true],
    [["app://bücher.example"], "app://xn--bcher-kva.example", true],
    [["//[0:0:0:0:0:0:0:1]"], "http://[::1]:4000", true],
    [["//[0000::0001]:888"], "http://[::1]:888", true],
    [["//[2001:DB8::A]"], "https://[2001:db8:0:0::a]", true],
    [["//[::ffff:127.0.0.1]"], "http://[::ffff:7f00:1]", true],
    [["//[::1]"], "http://[::2]", false],
    [["app://[0:0::1]"], "app://[::1]", true],
    [["//a.com:0080"], "http://a.com", true],
    [[], "http://a.com", false],
    [({ hostname }) => hostname.endsWith(".test"), "http://a.test", true],
    [({ hostname }) => hostname.endsWith(".test"), "http://a.com", false],
  ])("%j allows a page of %s: %s", (origins, origin, isAllowed) => {
    expect(allowed(origins, origin)).toBe(isAllowed)
  })

  it("a function is asked about every origin, null and nonsense included, and gets the header, too", () => {
    const asked: string[][] = []
    const ask: Origins = (origin, header) => asked.push([origin.href, origin.hostname, header]) > 0
    for (const origin of ["https://a.com", "file://", "null", "no origin"]) expect(allowed(ask, origin)).toBe(true)
    expect(asked).toEqual([
      ["https://a.com/", "a.com", "https://a.com"],
      ["file:///", "", "file://"],
      ["null:", "", "null"],
      ["null:", "", "no origin"],
    ])
    expect(allowed(() => false, "null")).toBe(false)
  })

  it.each<[string, unknown]>([
    ["a text that is no list", "https://a.com"],
    ["a number", 5],
    ["a list with a number", [5]],
    ["a list with a hole", [undefined]],
  ])("throws a ConfigError for %s", (_what, origins) => {
    const server = createServer()
    expect(() => server.socket("/socket", { origins: origins as Origins })).toThrowError(
      expect.objectContaining({ code: "config" }),
    )
  })

  it.each([
    "https://",
    "//a.com:99999",
    "//*.[::1]",
    "//::1",
    "*",
    "https://a b.com",
    "a.com",
    "https://a.com/",
    "https://a.com/path",
    "//a.*",
    "//",
    "https:a.com",
    "",
  ])("throws a ConfigError for the pattern %j, which no origin could match", (pattern) => {
    const server = createServer()
    expect(() => server.socket("/socket", { origins: [pattern] })).toThrowError(
      expect.objectContaining({ code: "config" }),
    )
  })
})
