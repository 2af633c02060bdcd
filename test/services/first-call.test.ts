import { os } from "@orpc/server"
import { expect, test } from "vitest"
import { createServices } from "../../src/services/index.ts"
import { createTracker } from "../../src/tracker/tracker.ts"
import { local } from "../../src/pubsub/index.ts"

// In a file of its own, as oRPC is loaded once for each file.
test("an instance that ends while oRPC is loaded for its first call does not run the call", async () => {
  const pubsub = local({ node: "only" })
  const tracker = createTracker({ pubsub })
  const services = createServices({ tracker, pubsub })
  const inputs: unknown[] = []
  const served = services.serve("game", { run: os.handler(({ input }) => inputs.push(input)) })
  const call = services.call("game", "run", 1)
  expect(services.stats().running).toBe(1)
  served.end()
  await expect(call).rejects.toMatchObject({ code: "instance_gone" })
  expect(services.stats().running).toBe(0)
  expect(inputs).toEqual([])
  await services.close()
  await tracker.close()
  await pubsub.close()
})
