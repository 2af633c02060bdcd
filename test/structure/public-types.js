/**
 * The public types of each entry, read from the built declarations: what it exports, and what that refers to and no entry exports.
 *
 * `npm run api` writes them to `test/structure/api`, so that a change of them shows in a review. A test compares.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { ENTRIES, manifest } from "../package/consumer.js"

export const FOLDER = "test/structure/api"

/**
 * A declaration file: its declarations by name, and where the names come from that it takes from other files.
 *
 * @typedef {{
 *   declared: Map<string, string>,
 *   taken: Map<string, { from: string, name: string }>,
 *   exported: Map<string, { from: string, name: string }>,
 *   stars: string[],
 * }} Declarations
 */

const COMMENT_OR_TEXT = /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`/g
const STATEMENT = /^(?=(?:export|import|declare|type|interface|const|class|function)\b)/m
const DECLARATION = /^(?:export )?(?:declare )?(?:abstract )?(?:function|const|class|interface|type|enum) ([\w$]+)/

/** Returns a text without comments and empty lines. */
const withoutComments = (/** @type {string} */ text) =>
  text
    .replace(COMMENT_OR_TEXT, (found) => (found.startsWith("/") ? "" : found))
    .replace(/[ \t]+$/gm, "")
    .replace(/\n{2,}/g, "\n")

/** The names in the braces of an import or an export: `{ A, type B as C }` has A, and B under the name C. */
const namesIn = (/** @type {string} */ braces) =>
  braces
    .split(",")
    .map((part) => part.trim().replace(/^type /, ""))
    .filter((part) => part !== "")
    .map((part) => part.split(" as "))
    .map(([name, as = name]) => ({ name: name ?? "", as: as ?? "" }))

/** @returns {Declarations} */
function parse(/** @type {string} */ text, /** @type {string} */ file) {
  const result = /** @type {Declarations} */ ({ declared: new Map(), taken: new Map(), exported: new Map(), stars: [] })
  const resolve = (/** @type {string} */ from) =>
    from.startsWith(".") ? join(dirname(file), from.replace(/\.tsx?$/, ".d.ts")) : from
  for (const statement of withoutComments(text).split(STATEMENT)) {
    const list = /^(import|export) (?:type )?\{([^}]*)\}(?: from "(.+)")?/.exec(statement)
    const [, kind, braces = "", path] = list ?? []
    const [, everything] = /^export (?:type )?\* from "(.+)"/.exec(statement) ?? []
    const [, name] = DECLARATION.exec(statement) ?? []
    if (kind !== undefined) {
      const from = path === undefined ? file : resolve(path)
      for (const { name, as } of namesIn(braces))
        result[kind === "import" ? "taken" : "exported"].set(as, { from, name })
    } else if (everything !== undefined) {
      result.stars.push(resolve(everything))
    } else if (name !== undefined) {
      // An overload is one more declaration of the same name.
      result.declared.set(name, (result.declared.get(name) ?? "") + statement.trim() + "\n")
      if (statement.startsWith("export")) result.exported.set(name, { from: file, name })
    }
  }
  return result
}

const files = /** @type {Map<string, Promise<Declarations>>} */ (new Map())

/** Reads a declaration file once. A package of others has no declarations here. */
function read(/** @type {string} */ file) {
  const known = files.get(file)
  if (known) return known
  const isOurs = file.endsWith(".d.ts")
  const parsed = isOurs ? readFile(file, "utf8").then((text) => parse(text, file)) : Promise.resolve(parse("", file))
  files.set(file, parsed)
  return parsed
}

/**
 * Finds where a name of a file is declared.
 *
 * @param {string} file
 * @param {string} name
 * @returns {Promise<{ file: string, name: string, text: string } | undefined>} `undefined` for a name of another package
 */
async function find(file, name) {
  const { declared, taken, exported } = await read(file)
  const text = declared.get(name)
  if (text !== undefined) return { file, name, text }
  const source = taken.get(name) ?? exported.get(name)
  return source === undefined || source.from === file ? undefined : find(source.from, source.name)
}

/** All names that a file exports, with those of the files that it exports as a whole. */
async function exportsOf(/** @type {string} */ file) {
  const { exported, stars } = await read(file)
  const names = [...exported.keys()].map((name) => ({ file, name }))
  for (const star of stars) names.push(...(await exportsOf(star)))
  return names
}

const idOf = (/** @type {{ file: string, name: string }} */ { file, name }) => `${file}#${name}`

/** Returns the public types of each entry: its file name in `FOLDER` → its text. */
export async function publicTypes() {
  const entries = await Promise.all(
    ENTRIES.map(async (entry) => {
      const file = join(manifest.exports[entry.replace("rollcall", ".")].types)
      const found = await Promise.all(
        (await exportsOf(file)).map(async (exported) => ({
          exported: exported.name,
          declaration: await find(exported.file, exported.name),
        })),
      )
      return { entry, found }
    }),
  )
  const isPublic = new Set(
    entries.flatMap(({ found }) => found.map(({ declaration }) => declaration && idOf(declaration))),
  )
  const result = /** @type {Map<string, string>} */ (new Map())
  for (const { entry, found } of entries) {
    const lines = found.map(({ exported, declaration }) => {
      const text = declaration?.text ?? `export { ${exported} } // of another package\n`
      return {
        name: exported,
        text: declaration && declaration.name !== exported ? `// as ${exported}\n${text}` : text,
      }
    })
    const behind = await referredTo(
      found.flatMap(({ declaration }) => declaration ?? []),
      isPublic,
    )
    result.set(`${entry.replaceAll("/", "-")}.md`, page(entry, lines, behind))
  }
  return result
}

/** The declarations that others refer to, and that no entry exports, by way of any number of others. */
async function referredTo(
  /** @type {{ file: string, name: string, text: string }[]} */ begin,
  /** @type {Set<unknown>} */ isPublic,
) {
  const seen = new Map()
  const waiting = [...begin]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const name of new Set(next.text.match(/[A-Za-z_$][\w$]*/g))) {
      const declaration = await find(next.file, name)
      if (declaration === undefined || isPublic.has(idOf(declaration)) || seen.has(idOf(declaration))) continue
      seen.set(idOf(declaration), declaration)
      waiting.push(declaration)
    }
  }
  return [...seen.values()]
}

const sorted = (/** @type {{ name: string, text: string }[]} */ list) =>
  list.toSorted((a, b) => (a.name + a.text < b.name + b.text ? -1 : 1)).map(({ text }) => text.trim())

function page(
  /** @type {string} */ entry,
  /** @type {{ name: string, text: string }[]} */ exported,
  /** @type {{ name: string, text: string }[]} */ behind,
) {
  const block = (/** @type {string[]} */ texts) => `\`\`\`ts\n${texts.join("\n\n")}\n\`\`\`\n`
  const more = behind.length > 0 ? `\n## What these refer to\n\n${block(sorted(behind))}` : ""
  return `# ${entry}\n\nWritten by \`npm run api\`: do not edit.\n\n${block(sorted(exported))}${more}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await rm(FOLDER, { recursive: true, force: true })
  await mkdir(FOLDER, { recursive: true })
  for (const [name, text] of await publicTypes()) await writeFile(join(FOLDER, name), text)
}
