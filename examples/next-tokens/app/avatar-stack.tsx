// The people in a room as overlapping circles, yourself first. Those who do not fit are counted: "+3".
import type { CSSProperties } from "react"
import type { Room } from "rollcall"
import { useOthers, useSelf } from "rollcall/react"

type Person = { name: string; color: string }

const circle: CSSProperties = {
  display: "grid",
  placeItems: "center",
  width: 40,
  height: 40,
  marginInlineStart: -8,
  border: "2px solid Canvas",
  borderRadius: "50%",
  color: "white",
  forcedColorAdjust: "none", // in forced colors, too, the color tells people apart
  fontWeight: 600,
}

export function AvatarStack({ room, max = 5 }: { room: Room<Person>; max?: number }) {
  const self = useSelf(room)
  const others = useOthers(room)
  const people = (self ? [self, ...others] : others).map(({ key, metas: [{ name, color }] }) => ({ key, name, color }))
  const hidden = people.slice(max)
  return (
    <ul aria-label="People here" style={{ display: "flex", margin: 0, padding: "0 0 0 8px", listStyle: "none" }}>
      {people.slice(0, max).map(({ key, name, color }) => (
        <li key={key} title={name} style={{ ...circle, background: color }}>
          {name.slice(0, 1)}
        </li>
      ))}
      {hidden.length > 0 && (
        <li title={hidden.map(({ name }) => name).join(", ")} style={{ ...circle, background: "#555" }}>
          +{hidden.length}
        </li>
      )}
    </ul>
  )
}
