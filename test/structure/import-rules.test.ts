import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"

// Each breach stands alone in a copy of the tree's linter configuration: the linter must find it, and for that reason.
const breaches: [room: string, line: string][] = [
  ["src/client/breach.ts", `import { readFile } from "node:fs/promises"`],
  ["src/client/breach.ts", `import { createServer } from "../server/server.ts"`],
  ["src/client/breach.ts", `import type { Tracker } from "../tracker/tracker.ts"`],
  ["src/wire/breach.ts", `import { Channel } from "../client/room.ts"`],
  ["src/crdt/breach.ts", `import { readFile } from "node:fs/promises"`],
  ["src/crdt/breach.ts", `import { v2 } from "../wire/v2.ts"`],
  ["src/tracker/breach.ts", `import { createServer } from "../server/server.ts"`],
  ["src/tracker/breach.ts", `import { redis } from "../pubsub/redis.ts"`],
  ["src/pubsub/breach.ts", `import { Socket } from "../server/socket.ts"`],
  ["src/server/breach.ts", `import { createServer } from "node:http"`],
  ["src/server/breach.ts", `import { Orswot } from "../crdt/orswot.ts"`],
  ["src/server/breach.ts", `import { Presence } from "../client/presence.ts"`],
  ["src/server/transports/breach.ts", `import { Presence } from "../../client/presence.ts"`],
  ["src/server/operations/breach.ts", `import { Presence } from "../../client/presence.ts"`],
  ["src/server/transports/breach.ts", `import { redis } from "../../pubsub/redis.ts"`],
  ["src/testing/breach.ts", `import { WebSocket } from "ws"`],
]
const impure: [room: string, line: string][] = [
  ["src/crdt/breach.ts", "export const now = Date.now()"],
  ["src/wire/breach.ts", "export const timer = setTimeout(() => undefined, 1)"],
]
const allowed: [room: string, line: string][] = [
  ["src/tracker/allowed.ts", `import type { PubSub } from "../pubsub/pubsub.ts"`],
  ["src/server/allowed.ts", `import { v2 } from "../wire/v2.ts"`],
  ["src/server/allowed.ts", `import { local } from "../pubsub/local.ts"`],
  ["src/server/operations/allowed.ts", `import cluster from "node:cluster"`],
  ["src/server/transports/allowed.ts", `import { WebSocketServer } from "ws"`],
  ["src/server/transports/allowed.ts", `import type { PubSub } from "../../pubsub/pubsub.ts"`],
]

let copy: string
const oxlint = resolve("node_modules/.bin/oxlint")
const run = promisify(execFile)

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "import-rules-"))
  await cp(".oxlintrc.json", join(copy, ".oxlintrc.json"))
})
afterAll(() => rm(copy, { recursive: true }))

async function complaints(path: string, line: string): Promise<string> {
  const file = join(copy, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${line}\n`)
  const { stdout } = await run(oxlint, [path], { cwd: copy }).catch((failed: { stdout: string }) => failed)
  await rm(file)
  return stdout
}

test.for(breaches)("%s may not have: %s", async ([room, line]) => {
  expect(await complaints(room, line)).toContain("no-restricted-imports")
})

test.for(impure)("%s is pure, and may not have: %s", async ([room, line]) => {
  expect(await complaints(room, line)).toContain("no-restricted-globals")
})

test.for(allowed)("%s may have: %s", async ([room, line]) => {
  expect(await complaints(room, line)).not.toContain("no-restricted-imports")
})

test("a cycle of imports is found", async () => {
  await mkdir(join(copy, "src/client"), { recursive: true })
  await writeFile(join(copy, "src/client/a.ts"), `import { b } from "./b.ts"\nexport const a = () => b\n`)
  await writeFile(join(copy, "src/client/b.ts"), `import { a } from "./a.ts"\nexport const b = () => a\n`)
  const { stdout } = await run(oxlint, ["src/client"], { cwd: copy }).catch((failed: { stdout: string }) => failed)
  expect(stdout).toContain("no-cycle")
})
