import { element } from "../element.js"
import type { Person } from "./device.js"
import { nameOf } from "./person.js"

const letters = "Segmenter" in Intl ? new Intl.Segmenter() : undefined

/** Returns the first letter of a name, which may consist of several characters. */
function initialOf(name: string): string {
  const [first = "?"] = letters === undefined ? name : Array.from(letters.segment(name), ({ segment }) => segment)
  return first.toUpperCase()
}

/** Returns the hue of a name, the same on every page. */
const hueOf = (name: string): number =>
  [...name].reduce((hue, char) => (hue * 31 + (char.codePointAt(0) ?? 0)) % 360, 7)

/** Gives an element the colour of a person. */
export function colour(target: HTMLElement, person: Person): HTMLElement {
  target.style.setProperty("--hue", String(hueOf(nameOf(person))))
  return target
}

/** Returns the avatar of a person. That of a name which others had first has a pattern. */
export function avatarOf(person: Person): HTMLElement {
  const avatar = colour(element("span", "avatar", initialOf(nameOf(person))), person)
  avatar.ariaHidden = "true"
  avatar.classList.toggle("marked", person.metas[0].mark !== undefined)
  return avatar
}
