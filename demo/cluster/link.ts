import { readActions, writeActions } from "./actions.js"
import type { Action } from "./actions.js"
import { SCENES } from "./scenes.js"

/** What a link shows: a scene up to a step, or a run of one's own. */
export type Link =
  | { readonly scene: string; readonly step: number }
  | { readonly seed: number; readonly actions: readonly Action[] }

export function writeLink(link: Link): string {
  if ("scene" in link) return link.step === 0 ? `#scene=${link.scene}` : `#scene=${link.scene}&step=${link.step}`
  return link.actions.length === 0 ? `#seed=${link.seed}` : `#seed=${link.seed}&do=${writeActions(link.actions)}`
}

/**
 * Reads the part of an address from `#`. Without one, it is the first scene.
 * @throws Error if it names no scene, or an action that there is not
 */
export function readLink(hash: string): Link {
  const parts = new Map(
    hash
      .replace(/^#/, "")
      .split("&")
      .filter((part) => part !== "")
      .map((part): [string, string] => {
        const at = part.indexOf("=")
        return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)]
      }),
  )
  const seed = parts.get("seed")
  if (seed !== undefined) {
    if (!/^\d{1,9}$/.test(seed))
      throw new Error(`expected a seed of 1 to 9 digits in the link, got ${JSON.stringify(seed)}`)
    return { seed: Number(seed), actions: readActions(parts.get("do") ?? "") }
  }
  const id = parts.get("scene") ?? SCENES[0]!.id
  const scene = SCENES.find((scene) => scene.id === id)
  if (scene === undefined) {
    const known = SCENES.map((scene) => scene.id).join(", ")
    throw new Error(`expected one of the scenes ${known} in the link, got ${JSON.stringify(id)}`)
  }
  const step = Number(parts.get("step") ?? 0)
  return { scene: id, step: Number.isInteger(step) ? Math.min(Math.max(step, 0), scene.steps.length) : 0 }
}
