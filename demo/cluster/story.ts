import { element, find } from "../element.js"
import { keyedList, setText } from "./keyed-list.js"
import type { Player } from "./player.js"
import type { Link } from "./link.js"
import { SCENES } from "./scenes.js"
import type { Scene } from "./scenes.js"

/** Creates the links to the scenes and the panel of the chosen one. Returns what shows the player's state. */
export function createStory(): (player: Player) => void {
  const links = SCENES.map(({ id, title }) => {
    const link = element("a", "scene-link", title) as HTMLAnchorElement
    link.href = `#scene=${id}`
    return { id, link }
  })
  const own = element("a", "scene-link", "A run of your own") as HTMLAnchorElement
  own.href = "#seed=1"
  find("scenes").append(...links.map(({ link }) => link), own)
  const showSteps = keyedList<{ readonly key: string; readonly say: string; readonly state: string }>(
    find("steps"),
    ({ key }) => key,
    ({ say }) => {
      const root = element("li", "step", say)
      return {
        root,
        update({ state }) {
          root.dataset["state"] = state
          if (state === "current") root.setAttribute("aria-current", "step")
          else root.removeAttribute("aria-current")
        },
      }
    },
  )

  return ({ scene, step, hasEnded, isPlaying, cluster }) => {
    for (const { id, link } of links) mark(link, scene?.id === id)
    mark(own, scene === undefined)
    setText(find("scene-title"), scene?.title ?? "A run of your own")
    setText(
      find("scene-about"),
      scene?.about ??
        "Add people, make the network bad, cut it, crash a node. Let time run, or go from message to message. Open a message to see " +
          "what it carries. Whatever you do: when the network is well again and all nodes run, they agree within seconds.",
    )
    const steps = scene?.steps ?? []
    showSteps(
      steps.map(({ say }, index) => ({
        key: `${scene?.id} ${index}`,
        say,
        state: index >= step ? "next" : index === step - 1 ? "current" : "done",
      })),
    )
    setText(find("saying"), steps[step - 1]?.say ?? "")
    const claim = find("claim")
    claim.hidden = !hasEnded
    if (hasEnded && scene !== undefined) {
      const holds = scene.holds(cluster)
      claim.dataset["holds"] = String(holds)
      setText(claim, `${holds ? "✓" : "✗"} ${scene.claim}`)
    }
    const next = find("next")
    next.hidden = scene === undefined
    const more = SCENES.at(-1) === scene ? "Now you" : "Next scene"
    setText(next, hasEnded ? more : isPlaying ? "Skip ahead" : step === 0 ? "Begin" : "Next step")
  }
}

function mark(link: HTMLElement, isCurrent: boolean): void {
  if (isCurrent) link.setAttribute("aria-current", "true")
  else link.removeAttribute("aria-current")
}

/** Returns the link to what comes after a scene: the next one, or a run of one's own. */
export function linkAfter(scene: Scene): Link {
  const next = SCENES[SCENES.indexOf(scene) + 1]
  return next === undefined ? { seed: 1, actions: [] } : { scene: next.id, step: 0 }
}
