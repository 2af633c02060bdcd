import { readdir, readFile } from "node:fs/promises"
import { dirname, join, normalize } from "node:path"

/** One import. A `dynamic` one, `import("…")`, is not evaluated with the importing file. */
export interface Edge {
  readonly from: string
  readonly to: string
  readonly kind: "value" | "type" | "dynamic"
}

/** A source file of the project: its path from the top of the repository, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** Reads all TypeScript files below a folder, without declaration files. */
export async function readSources(folder: string): Promise<SourceFile[]> {
  const names = await readdir(folder, { recursive: true })
  const paths = names.filter((name) => /(?<!\.d)\.ts$/.test(name)).map((name) => join(folder, name))
  return Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, "utf8") })))
}

const COMMENTS = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm
const STATIC = /^(?:import|export)\b(?<clause>[^"';]*?\bfrom\s*|\s*)"(?<specifier>\.[^"]+)"/gm
const DYNAMIC = /\bimport\(\s*"(?<specifier>\.[^"]+)"/g

/** Returns the imports of the project's own files, `export … from` included. */
export function importsOf({ path, text }: SourceFile): Edge[] {
  const code = text.replace(COMMENTS, "")
  const edge = (specifier: string, kind: Edge["kind"]) => ({
    from: path,
    to: normalize(join(dirname(path), specifier)),
    kind,
  })
  return [
    ...[...code.matchAll(STATIC)].map(({ groups }) =>
      edge(groups!["specifier"]!, /^\s*type\b/.test(groups!["clause"]!) ? "type" : "value"),
    ),
    ...[...code.matchAll(DYNAMIC)].map(({ groups }) => edge(groups!["specifier"]!, "dynamic")),
  ]
}

/**
 * Returns the groups of nodes that reach each other, each sorted. A graph without circles has none.
 *
 * They are the strongly connected components of more than one node, found by Tarjan's algorithm.
 */
export function circles(edges: readonly Pick<Edge, "from" | "to">[]): string[][] {
  const targets = new Map<string, Set<string>>()
  for (const { from, to } of edges) {
    if (from !== to) targets.set(from, (targets.get(from) ?? new Set()).add(to))
  }
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []

  function visit(node: string): void {
    order.set(node, order.size)
    lowest.set(node, order.get(node)!)
    stack.push(node)
    for (const target of targets.get(node) ?? []) {
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) lowest.set(node, Math.min(lowest.get(node)!, lowest.get(target)!))
    }
    if (lowest.get(node) !== order.get(node)) return
    const component = stack.splice(stack.indexOf(node))
    if (component.length > 1) found.push(component.sort())
  }

  for (const node of targets.keys()) if (!order.has(node)) visit(node)
  return found
}

/** Boxes of files, layer by layer from the ground up. A box is named by the path of its folder or file. */
export type Layers = readonly (readonly string[])[]

/** Returns the box of a file: the longest entry of `layers` that is its path or one of its folders. */
export function boxOf(path: string, layers: Layers): string | undefined {
  const boxes = layers.flat().filter((box) => path === box || path.startsWith(`${box}/`))
  return boxes.sort((a, b) => b.length - a.length)[0]
}

/** Returns the imports between boxes, each once, as edges from box to box. */
export function edgesBetweenBoxes(edges: readonly Edge[], layers: Layers): Edge[] {
  const between = new Map<string, Edge>()
  for (const { from, to, kind } of edges) {
    const edge = { from: boxOf(from, layers) ?? from, to: boxOf(to, layers) ?? to, kind }
    if (edge.from !== edge.to) between.set(`${edge.from} ${edge.to}`, edge)
  }
  return [...between.values()]
}

/**
 * Returns the imports that do not point down: from a box to one of its own layer or of a layer above it.
 *
 * @param layers the boxes, from the ground up; boxes of one layer do not import each other
 */
export function upwardImports(edges: readonly Edge[], layers: Layers): Edge[] {
  const heights = new Map(layers.flatMap((boxes, height) => boxes.map((box) => [box, height] as const)))
  const heightOf = (path: string) => heights.get(boxOf(path, layers) ?? "") ?? Infinity
  return edges.filter(({ from, to }) => boxOf(from, layers) !== boxOf(to, layers) && heightOf(to) >= heightOf(from))
}
