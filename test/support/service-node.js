// A process with services, driven by messages. Plain JavaScript over the built package, as Node 20 cannot run TypeScript.
import { os } from "@orpc/server"
import { createServices } from "rollcall/services"
import { createTracker } from "rollcall/tracker"

const { engine, url, node, serves, timing } = JSON.parse(process.argv[2])

const engines = {
  redis: async () => (await import("rollcall/pubsub/redis")).redis({ url, node }),
  nats: async () => (await import("rollcall/pubsub/nats")).nats({ url, node }),
  ipc: async () => (await import("rollcall/pubsub")).ipc({ node }),
}
const tell = (message) => process.connected && process.send?.({ test: message })

const pubsub = await engines[engine]()
const tracker = createTracker({ pubsub, ...timing })
const services = createServices({ tracker, pubsub })
if (serves) {
  await services.serve("game", {
    double: os
      .$meta({})
      .meta({ idempotent: true })
      .handler(({ input }) => 2 * Number(input)),
    hang: os.handler(() => {
      tell("hanging")
      return new Promise(() => {})
    }),
    stream: os.handler(async function* () {
      yield node
      tell("hanging")
      await new Promise(() => {})
    }),
  }).ready
}

/** Counters, of which each runs on one of the processes. */
const counters = serves
  ? services.place("counter", {
      start: (_id, count = 0) => ({ count }),
      stop: (_id, _reason, process) => process.count,
      router: {
        add: os.handler(({ input, context }) => {
          const { process } = /** @type {{ process: { count: number } }} */ (context)
          return (process.count += Number(input))
        }),
      },
    })
  : undefined

const outcome = async (calling) => {
  try {
    return { value: await calling }
  } catch (error) {
    return { code: /** @type {{ code?: string }} */ (error).code ?? String(error) }
  }
}

const commands = {
  /** Waits until this node sees so many instances that take calls. */
  async sees(count) {
    for (let answered = -1; answered !== count;) {
      answered = 0
      for await (const { error } of services.callAll("game", "double", 1)) answered += error === undefined ? 1 : 0
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  },
  call: ({ method, options }) => outcome(services.call("game", method, undefined, options)),
  async stream() {
    const consume = async () => {
      const stream = await services.call("game", "stream", undefined, { timeoutMs: 600_000 })
      for await (const item of /** @type {AsyncIterable<string>} */ (stream)) tell({ item })
    }
    return outcome(consume())
  },
  /** Makes calls, so many at a time, and returns what is wrong with their outcomes. */
  async many({ count, atATime, options }) {
    const wrong = []
    let made = 0
    const caller = async () => {
      while (made < count) {
        const n = (made += 1)
        const { value, code } = await outcome(services.call("game", "double", n, options))
        if (value !== 2 * n) wrong.push({ n, value, code })
        if (n % 500 === 0) tell({ made: n })
      }
    }
    await Promise.all(Array.from({ length: atATime }, caller))
    return wrong
  },
  /** Adds to counters, all at once. */
  add: ({ ids, by }) =>
    Promise.all(ids.map((id) => outcome(counters?.call(id, "add", by, { timeoutMs: 60_000 }) ?? Promise.reject()))),
  /** Waits until so many processes take part in the placement. */
  async places(count) {
    while (services.list("place:counter").length !== count) await new Promise((resolve) => setTimeout(resolve, 10))
  },
  /** Returns the counters that run on this process, once all of `ids` run somewhere. */
  async placed(ids) {
    while (ids.some((id) => counters?.whereis(id) === undefined))
      await new Promise((resolve) => setTimeout(resolve, 10))
    return counters?.local()
  },
  async close() {
    await services.close()
    await tracker.close()
    await pubsub.close()
    process.disconnect?.()
  },
}

process.on("message", async (message) => {
  const { test } = /** @type {{ test?: [string, unknown] }} */ (message)
  if (test === undefined) return
  const [command, argument] = test
  tell({ done: command, result: await commands[command](argument) })
})
tell("ready")
