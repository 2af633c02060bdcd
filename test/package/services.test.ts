import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"
import { consumer } from "./consumer.js"

let project: Awaited<ReturnType<typeof consumer>>
beforeAll(async () => {
  project = await consumer()
})
afterAll(() => project.remove())

test("without oRPC, services are announced and listed, and a call names the package to install", async () => {
  const program = `
    import { createServer } from "rollcall/server"
    import { createServices } from "rollcall/services"
    import { createTracker } from "rollcall/tracker"
    const services = createServices({ tracker: createTracker() })
    services.announce("crawler", { meta: { jobs: 99 } })
    const procedure = { "~orpc": { handler: () => 1 } }
    const served = services.serve("game", { procedure })
    const errors = await Promise.all([
      services.call("game", "procedure").catch((error) => [error.code, error.message]),
      served.ready.catch((error) => [error.code, error.message]),
    ])
    const server = createServer()
    server.services.announce("crawler")
    console.log(JSON.stringify([services.list("crawler")[0].meta, errors, server.services.list("crawler").length]))
    await server.close()`
  const file = join(project.folder, "program.mjs")
  await writeFile(file, program)
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: project.folder })
  const [meta, [[code, message]], listed] = JSON.parse(stdout) as [object, [string, string][], number]
  expect(meta).toEqual({ jobs: 99 })
  expect(code).toBe("config")
  expect(message).toMatch(/Calls of services need the package @orpc\/\w+, .*npm install @orpc\/\w+/)
  expect(listed).toBe(1)
  expect(stderr).toBe("")
})
