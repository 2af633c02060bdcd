import { expect, it } from "vitest"
import { createServer } from "../../../../src/server/index.ts"
import { sessionsOf } from "../../../../src/server/transports/longpoll/session-registry.ts"

it("keeps an endpoint's sessions until each of its users has closed, however often one of them closes", () => {
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
