import { afterEach, expect, test, vi } from "vitest"
import { connect } from "../../src/client/index.ts"

afterEach(() => void vi.unstubAllGlobals())

/** Takes the place of the page's listeners. Returns how many are registered, and dispatches events to them. */
function stubPage(): { dispatch(type: string): void; listeners(): number } {
  const page = new EventTarget()
  let listeners = 0
  vi.stubGlobal("addEventListener", (type: string, listener: EventListener, options: { signal: AbortSignal }) => {
    listeners += 1
    options.signal.addEventListener("abort", () => (listeners -= 1))
    page.addEventListener(type, listener, options)
  })
  return { dispatch: (type) => void page.dispatchEvent(new Event(type)), listeners: () => listeners }
}

test("a connection that is disconnected leaves no listeners on its page", () => {
  const page = stubPage()
  for (let round = 0; round < 3; round += 1) {
    const connection = connect("ws://127.0.0.1:1/socket")
    let hidden = 0
    connection.onPageHide(() => (hidden += 1))
    connection.room("rooms:1")
    page.dispatch("pagehide")
    expect([hidden, page.listeners() > 0]).toEqual([1, true])
    connection.disconnect()
    page.dispatch("pagehide")
    expect([hidden, page.listeners()]).toEqual([1, 0])
  }
})
