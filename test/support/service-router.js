// The handlers of a service under test. Plain JavaScript, so that worker processes can serve them, too.
import { ORPCError, os } from "@orpc/server"
import { z } from "zod"

/**
 * What the handlers of one instance have done.
 *
 * @returns {{ runs: unknown[], aborts: unknown[], made: number, returned: number, contexts: any[], release: () => void, released: Promise<void> }}
 */
export function newState() {
  let release = () => {}
  const released = new Promise((resolve) => (release = () => resolve(undefined)))
  return { runs: [], aborts: [], made: 0, returned: 0, contexts: [], release, released }
}

const untilAborted = (signal) =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener("abort", () => reject(signal.reason))
  })

/** @param {ReturnType<typeof newState>} state */
export function gameRouter(state) {
  return {
    echo: os.handler(({ input }) => {
      state.runs.push(input)
      return input
    }),
    /** Waits until the test releases it. */
    slow: os.handler(async ({ input }) => {
      state.runs.push(input)
      await state.released
      return input
    }),
    /** Never answers, but ends when it is aborted. */
    hang: os.handler(async ({ input, signal }) => {
      state.runs.push(input)
      try {
        await untilAborted(signal)
      } catch (reason) {
        state.aborts.push(reason)
        throw reason
      }
    }),
    /** Never answers, and ignores that it is aborted. */
    stubborn: os.handler(async (/** @type {any} */ { input, signal }) => {
      state.runs.push(input)
      signal.addEventListener("abort", () => state.aborts.push(signal.reason))
      await state.released
    }),
    context: os.handler((/** @type {any} */ { context }) => {
      state.contexts.push(context)
      const { caller, service, instance, method, traceparent, ...more } = context
      return {
        caller,
        service,
        instance,
        method,
        traceparent,
        remainingMs: context.remainingMs(),
        more: Object.keys(more),
      }
    }),
    spawn: os
      .input(z.object({ uid: z.string() }))
      .output(z.object({ uid: z.string(), at: z.date() }))
      .errors({ TAKEN: { message: "taken", data: z.object({ by: z.string() }) } })
      .handler(({ input, errors }) => {
        if (input.uid === "taken") throw errors.TAKEN({ data: { by: "ada" } })
        return { uid: input.uid, at: new Date(0) }
      }),
    nested: { deep: { ping: os.handler(() => "pong") } },
    failing: {
      secretly: os.handler(() => {
        throw Object.assign(new Error("password=hunter2"), { code: "E_SECRET" })
      }),
      openly: os.handler(() => {
        throw new ORPCError("NOT_FOUND", { message: "no such game", data: { id: 7 }, cause: new Error("hunter2") })
      }),
      badly: os.output(z.string()).handler(() => /** @type {any} */ (7)),
    },
    /** Fails as often as it is told, over all instances of the state. */
    flaky: os
      .$meta({})
      .meta({ idempotent: true })
      .handler(({ input }) => {
        state.runs.push(input)
        return "ok"
      }),
    count: os.handler(async function* ({ input }) {
      for (let n = 1; n <= Number(input); n += 1) yield n
      return "end"
    }),
    endless: os.handler(async function* (/** @type {any} */ { signal }) {
      try {
        for (;;) {
          signal.throwIfAborted()
          yield (state.made += 1)
        }
      } finally {
        state.returned += 1
      }
    }),
    /** A stream that stays open without items. */
    silent: os.handler(async function* ({ signal }) {
      try {
        yield "open"
        await untilAborted(signal)
      } finally {
        state.returned += 1
      }
    }),
    breaking: os.handler(async function* ({ input }) {
      yield 1
      if (input === "openly") throw new ORPCError("NOT_FOUND", { message: "no such game" })
      throw new Error("hunter2")
    }),
    large: os.handler(({ input }) => "x".repeat(Number(input))),
    unwritable: os.handler(() => new Blob(["x"])),
  }
}
