/** What the bundles of a built page contain. */
import assert from "node:assert/strict"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"

/** What stands in the server's code and in no other. */
const OF_THE_SERVER = ["maxConnectionsPerAddress", "node:http", "rollcall/server"]
const OF_THE_CLIENT = "presence_state"

/** Checks that the scripts below a folder contain the client, and nothing of the server. */
export async function checkBundle(/** @type {string} */ folder) {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".js"))
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")))
  const text = texts.join("\n")
  assert.ok(text.includes(OF_THE_CLIENT), `expected the client in the scripts of ${folder}, got none`)
  const found = OF_THE_SERVER.filter((name) => text.includes(name))
  assert.deepEqual(found, [], `expected nothing of the server in the scripts of ${folder}`)
}
