// Writes the version of this package into the examples, as what they depend on. `npm run version-package` runs it.
import { readdir, readFile, writeFile } from "node:fs/promises"

const { version } = JSON.parse(await readFile("package.json", "utf8"))
for (const name of await readdir("examples")) {
  const file = `examples/${name}/package.json`
  const text = await readFile(file, "utf8").catch(() => undefined)
  if (text !== undefined) await writeFile(file, text.replace(/(?<="rollcall": ")[^"]+/, `^${version}`))
}
