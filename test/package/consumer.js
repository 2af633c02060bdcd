import { existsSync, realpathSync } from "node:fs"
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

/** The manifest of this package. */
export const manifest = JSON.parse(await readFile("package.json", "utf8"))

/** What a program can import, as its specifier: `rollcall`, `rollcall/server`, … */
export const ENTRIES = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target !== "string")
  .map(([path]) => `rollcall${path.slice(1)}`)

/** Returns a folder for projects. Node looks for packages in each folder above a project, too, so none of those may have some. */
function place() {
  const places = [tmpdir(), "/var/tmp", "/dev/shm"].filter((folder) => existsSync(folder))
  return places.map((folder) => realpathSync(folder)).find((folder) => !hasPackages(folder)) ?? tmpdir()
}

/** @param {string} folder @returns {boolean} */
const hasPackages = (folder) =>
  existsSync(join(folder, "node_modules")) || (folder !== dirname(folder) && hasPackages(dirname(folder)))

/**
 * A project in a temporary folder, outside this repository, so that it finds no package but those that it has installed: the built
 * rollcall, its dependencies, and those that it names.
 *
 * @param {string[]} packages names of packages of this repository
 */
export async function consumer(packages = []) {
  const folder = await mkdtemp(join(place(), "rollcall-consumer-"))
  const modules = join(folder, "node_modules")
  await mkdir(join(modules, "rollcall"), { recursive: true })
  await cp("package.json", join(modules, "rollcall/package.json"))
  await cp("dist", join(modules, "rollcall/dist"), { recursive: true })
  await writeFile(join(folder, "package.json"), "{}")
  for (const name of [...Object.keys(manifest.dependencies), ...packages]) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(resolve("node_modules", name), join(modules, name))
  }
  return { folder, remove: () => rm(folder, { recursive: true }) }
}
