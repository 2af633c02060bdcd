import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, test } from "vitest"

const run = promisify(execFile)

/**
 * Runs `code` in a process with the secret in its environment, like that of a worker. Returns what it prints: texts alone, because
 * Node colours other values where FORCE_COLOR is set.
 */
async function printedByWorker(code: string): Promise<string> {
  const env = { ...process.env, ROLLCALL_WORKER_SECRET: "x".repeat(32) }
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], { env })
  return stdout.trim()
}

test("importing the server changes nothing in the environment; its first use takes the workers' secret out of it", async () => {
  const printed = await printedByWorker(`
    import { createServer } from "rollcall/server"
    const secret = () => process.env.ROLLCALL_WORKER_SECRET?.length
    const afterImport = secret()
    const { role } = createServer()
    console.log(String(afterImport), role, String(secret()))
    process.exit()
  `)
  expect(printed).toBe("32 worker undefined")
})
