import { expect, it } from "vitest"
import { createServer } from "../../../../src/server/index.ts"
import { sessionsOf } from "../../../../src/server/transports/longpoll/session-registry.ts"

it("keeps an endpoint's sessions until all handles to them are closed, no matter how often one handle is closed", () => {
  const { endpoint } = createServer()
  const [first, second] = [sessionsOf(endpoint), sessionsOf(endpoint)]
  let closedInlets = 0
  const inlet = {
    receive: () => undefined,
    closed: () => void (closedInlets += 1),
    busy: undefined,
    crowded: undefined,
    closeInTurn: () => undefined,
  }
  const token = first.open({ ok: true, open: () => inlet })
  second.close()
  second.close()
  expect(first.find(token)).toBeDefined()
  expect(closedInlets).toBe(0)
  first.close()
  expect(first.find(token)).toBeUndefined()
  expect(closedInlets).toBe(1)
})
