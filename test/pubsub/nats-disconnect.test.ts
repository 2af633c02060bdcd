import { expect, test, vi } from "vitest"
import { nats } from "../../src/pubsub/nats.ts"

// A simulated driver: the real one does not promise whether a flush fails before the disconnect is reported, or after.
const driver = vi.hoisted(() => ({
  flush: (): Promise<void> => Promise.resolve(),
  emit: (_type: string): void => undefined,
}))

vi.mock("@nats-io/transport-node", () => ({
  async connect() {
    let close!: () => void
    const closed = new Promise<IteratorResult<object>>((resolve) => {
      close = () => resolve({ done: true, value: undefined })
    })
    const next = (): Promise<IteratorResult<object>> =>
      Promise.race([
        closed,
        new Promise<IteratorResult<object>>((resolve) => {
          driver.emit = (type) => resolve({ done: false, value: { type } })
        }),
      ])
    return {
      subscribe: () => ({ closed: new Promise(() => {}), isClosed: () => false, unsubscribe: () => undefined }),
      publish: () => undefined,
      flush: () => driver.flush(),
      status: () => ({ [Symbol.asyncIterator]: () => ({ next }) }),
      close: async () => close(),
    }
  },
}))

test("treats a failed round trip as a lost connection, not as a refused subscription", async () => {
  const node = await nats()
  const statuses: string[] = []
  node.onStatus((status) => void statuses.push(status))
  driver.flush = () => Promise.reject(new Error("connection disconnected"))
  const subscribed = node.subscribe("room", () => {})
  const outcome = subscribed.then(
    () => "subscribed",
    (error: { code: string }) => error.code,
  )
  await new Promise((resolve) => setImmediate(resolve))
  expect(statuses).toEqual(["disconnected"])
  driver.flush = () => Promise.resolve()
  driver.emit("disconnect")
  await new Promise((resolve) => setImmediate(resolve))
  driver.emit("reconnect")
  expect(await outcome).toBe("subscribed")
  expect(statuses).toEqual(["disconnected", "connected"])
  await node.close()
})
