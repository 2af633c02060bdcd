/** What the providers of all UI frameworks make of their props. */
import { expect, test } from "vitest"
import { createProvided } from "../../src/client/provided.ts"

test.each([undefined, null, {}, 4000])("a provider without a URL or a connection says so: %s", (url) => {
  expect(() => createProvided(url as never, undefined)).toThrow(
    `expected url to be ws(s)://host/path, or in a page a path, got ${JSON.stringify(url)}`,
  )
})
