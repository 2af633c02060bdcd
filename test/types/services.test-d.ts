/** What must compile, and what must not: checked by `tsc -p test/tsconfig.json`. */
import { isDefinedError, safe } from "@orpc/client"
import { eventIterator, oc } from "@orpc/contract"
import { implement, os, type RouterClient } from "@orpc/server"
import * as v from "valibot"
import { z } from "zod"
import { byKey, compare, leastBy, type CallContext, type Route, type Services } from "../../src/services/index.ts"

const contract = {
  spawn: oc
    .input(z.object({ uid: z.string(), size: z.number().default(1) }))
    .output(z.object({ at: z.date() }))
    .errors({ TAKEN: { data: v.object({ by: v.string() }) }, FULL: {} }),
  rooms: { ticks: oc.input(z.number()).output(eventIterator(z.number())) },
}

const router = {
  spawn: implement(contract)
    .$context<CallContext>()
    .spawn.handler(({ context, input }) => {
      const caller: string = context.caller.node
      const size: number = input.size
      return { at: new Date(size + caller.length + context.remainingMs()) }
    }),
  free: os.handler(({ input }) => [input]),
  nested: { deep: os.input(v.string()).handler(({ input }) => input.length) },
  lazy: os.lazy(async () => ({ default: { ping: os.handler(() => "pong") } })),
}

/** Never called: these lines are for the compiler. */
export async function typed(services: Services): Promise<void> {
  const game = services.client<typeof router>("game", { route: byKey((input: { uid: string }) => input.uid) })
  const { at }: { at: Date } = await game.spawn({ uid: "ada" })
  const length: number = await game.nested.deep("text", { timeoutMs: 5, signal: new AbortController().signal })
  const anything: unknown[] = await game.free()
  // @ts-expect-error -- a required field is missing
  await game.spawn({})
  // @ts-expect-error -- the input is not optional
  await game.nested.deep()
  // @ts-expect-error -- no such method
  await game.absent()
  // @ts-expect-error -- no such option
  await game.spawn({ uid: "ada" }, { timeout: 5 })

  const { error } = await safe(game.spawn({ uid: "ada" }))
  if (isDefinedError(error)) {
    const code: "TAKEN" | "FULL" = error.code
    if (error.code === "TAKEN") error.data.by.toUpperCase()
    void code
  }

  const byContract = services.client<typeof contract>("game")
  const same: { at: Date } = await byContract.spawn({ uid: "ada" })
  for await (const tick of await byContract.rooms.ticks(3)) tick.toFixed()

  const lazy = services.client<RouterClient<typeof router>>("game")
  const pong: string = await lazy.lazy.ping()
  void [at, length, anything, same, pong]
}

export async function untyped(services: Services): Promise<void> {
  const spawned: unknown = await services.call("game", "spawn", { uid: "ada" }, { route: byKey("ada") })
  const text = await services.call<string>("game", "spawn", { uid: "ada" })
  // As on the slides: metas of any fields.
  await services.call("game", "spawn", {}, { route: compare((a, b) => a.meta.workFactor - b.meta.workFactor) })
  const strict: Route = leastBy<{ jobs: number }>(({ meta }) => meta.jobs)
  // @ts-expect-error -- no such field
  leastBy<{ jobs: number }>(({ meta }) => meta.work)
  const crawler = services.announce("crawler", { meta: { jobs: 99 } })
  crawler.update(({ jobs }) => ({ jobs: jobs + 1 }))
  // @ts-expect-error -- another type of meta
  crawler.update({ jobs: "many" })
  const jobs: number = services.list<{ jobs: number }>("crawler")[0]!.meta.jobs
  for await (const { instance, value } of services.callAll<string>("game", "spawn")) void [instance.id, value?.length]
  void [spawned, text.length, strict, jobs]
}
