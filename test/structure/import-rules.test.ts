import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, test } from "vitest"

// Each line below is linted by itself, in a temporary folder that holds a copy of the linter's configuration.
// The linter must report each breach under the rule that forbids it, and must accept what a folder may import.
const breaches: [folder: string, line: string][] = [
  ["src", `import { createServer } from "node:http"`],
  ["src", `import { v2 } from "./wire/v2.ts"`],
  ["src/wire", `import { Channel } from "../client/room.ts"`],
  ["src/wire", `import { createServer } from "node:http"`],
  ["src/crdt", `import { readFile } from "node:fs/promises"`],
  ["src/crdt", `import { v2 } from "../wire/v2.ts"`],
  ["src/client", `import { readFile } from "node:fs/promises"`],
  ["src/client", `import { createServer } from "../server/server.ts"`],
  ["src/client", `import type { Tracker } from "../tracker/tracker.ts"`],
  ["src/client", `import { useState } from "react"`],
  ["src/client", `import { shallowRef } from "vue"`],
  ["src/client", `import { createSubscriber } from "svelte/reactivity"`],
  ["src/client", `import { createSignal } from "solid-js"`],
  ["src/client/bindings", `import { createStore } from "../store.ts"`],
  ["src/client/bindings", `import { Socket } from "../phoenix.ts"`],
  ["src/client/bindings", `import { createServer } from "../../server/server.ts"`],
  ["src/client/bindings", `import { readFile } from "node:fs/promises"`],
  ["src/tracker", `import { createServer } from "../server/server.ts"`],
  ["src/client", `import { byKey } from "../services/routes.ts"`],
  ["src/tracker", `import { createServices } from "../services/services.ts"`],
  ["src/tracker", `import { redis } from "../pubsub/redis.ts"`],
  ["src/tracker", `import { v2 } from "../wire/v2.ts"`],
  ["src/pubsub", `import { Socket } from "../server/connection/socket.ts"`],
  ["src/pubsub", `import { WebSocket } from "ws"`],
  ["src/services", `import { createServer } from "../server/server.ts"`],
  ["src/services", `import { redis } from "../pubsub/redis.ts"`],
  ["src/services", `import { Orswot } from "../crdt/orswot.ts"`],
  ["src/services", `import { createServer } from "node:http"`],
  ["src/server", `import { createServer } from "node:http"`],
  ["src/server", `import { Orswot } from "../crdt/orswot.ts"`],
  ["src/server", `import { Presence } from "../client/presence.ts"`],
  ["src/server/channel", `import { createServer } from "node:http"`],
  ["src/server/presence", `import { Orswot } from "../../crdt/orswot.ts"`],
  ["src/server/connection", `import { redis } from "../../pubsub/redis.ts"`],
  ["src/server/cluster", `import { Presence } from "../../client/presence.ts"`],
  ["src/server/admission", `import { WebSocket } from "ws"`],
  ["src/server/operations", `import { Presence } from "../../client/presence.ts"`],
  ["src/server/lifecycle", `import { Orswot } from "../../crdt/orswot.ts"`],
  ["src/server/transports/websocket", `import { Presence } from "../../../client/presence.ts"`],
  ["src/server/transports/longpoll", `import { redis } from "../../../pubsub/redis.ts"`],
  ["src/server/transports", `import { shutDown } from "../lifecycle/shutdown.ts"`],
  ["src/testing", `import { WebSocket } from "ws"`],
  ["src/inspector", `import { createServer } from "../server/server.ts"`],
  ["src/testing", `import { Orswot } from "../crdt/orswot.ts"`],
]
const impure: [folder: string, line: string][] = [
  ["src/services", "export const timer = setTimeout(() => undefined, 1)"],
  ["src/crdt", "export const now = Date.now()"],
  ["src/wire", "export const timer = setTimeout(() => undefined, 1)"],
  ["src/client", "export const environment = process.env"],
]
const allowed: [folder: string, line: string][] = [
  ["src/client", `import { JOIN } from "../wire/events.ts"`],
  ["src/client/bindings", `import type { Entry } from "../store.ts"`],
  ["src/client/bindings", `import { createHeldRooms } from "../held-room.ts"`],
  ["src/client/bindings", `import { useState } from "react"`],
  ["src/client/bindings", `import { createProvided } from "../provided.ts"`],
  ["src/client/bindings", `import { createSubscriber } from "svelte/reactivity"`],
  ["src/tracker", `import type { PubSub } from "../pubsub/pubsub.ts"`],
  ["src/tracker", `import { Orswot } from "../crdt/orswot.ts"`],
  ["src/services", `import type { PubSub } from "../pubsub/pubsub.ts"`],
  ["src/services", `import { createTracker } from "../tracker/tracker.ts"`],
  ["src/pubsub", `import { createHash } from "node:crypto"`],
  ["src/server", `import { v2 } from "../wire/v2.ts"`],
  ["src/server", `import { local } from "../pubsub/local.ts"`],
  ["src/server/operations", `import cluster from "node:cluster"`],
  ["src/server/lifecycle", `import { relay } from "../../pubsub/ipc-relay.ts"`],
  ["src/server/transports", `import { WebSocketServer } from "ws"`],
  ["src/server/transports/longpoll", `import type { PubSub } from "../../../pubsub/pubsub.ts"`],
]

let copy: string
const oxlint = resolve("node_modules/.bin/oxlint")
const run = promisify(execFile)

beforeAll(async () => {
  copy = await mkdtemp(join(tmpdir(), "import-rules-"))
  await cp(".oxlintrc.json", join(copy, ".oxlintrc.json"))
})
afterAll(() => rm(copy, { recursive: true }))

/** Returns the linter's report for a file that consists of one line. */
async function lintReport(path: string, line: string): Promise<string> {
  const file = join(copy, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${line}\n`)
  const { stdout } = await run(oxlint, [path], { cwd: copy }).catch((failed: { stdout: string }) => failed)
  await rm(file)
  return stdout
}

test.for(breaches)("%s may not contain: %s", async ([folder, line]) => {
  expect(await lintReport(`${folder}/breach.ts`, line)).toContain("no-restricted-imports")
})

test.for(impure)("%s may not contain: %s", async ([folder, line]) => {
  expect(await lintReport(`${folder}/breach.ts`, line)).toContain("no-restricted-globals")
})

test.for(allowed)("%s may contain: %s", async ([folder, line]) => {
  expect(await lintReport(`${folder}/allowed.ts`, line)).not.toContain("no-restricted-imports")
})

const folders = [...new Set(breaches.map(([folder]) => folder))]
test.for(folders)("%s may not import phoenix", async (folder) => {
  expect(await lintReport(`${folder}/breach.ts`, `import { Socket } from "phoenix"`)).toContain("no-restricted-imports")
})

test("client/phoenix.ts may import phoenix", async () => {
  expect(await lintReport("src/client/phoenix.ts", `import { Socket } from "phoenix"`)).not.toContain(
    "no-restricted-imports",
  )
})

test("the linter reports a circle of imports", async () => {
  await mkdir(join(copy, "src/client"), { recursive: true })
  await writeFile(join(copy, "src/client/a.ts"), `import { b } from "./b.ts"\nexport const a = () => b\n`)
  await writeFile(join(copy, "src/client/b.ts"), `import { a } from "./a.ts"\nexport const b = () => a\n`)
  const { stdout } = await run(oxlint, ["src/client"], { cwd: copy }).catch((failed: { stdout: string }) => failed)
  expect(stdout).toContain("no-cycle")
})
