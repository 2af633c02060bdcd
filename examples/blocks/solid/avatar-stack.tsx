// The people in a room as overlapping circles, yourself first. Those who do not fit are counted: "+3".
import { For, Show, type JSX } from "solid-js"
import type { Room } from "rollcall"
import { useOthers, useSelf } from "rollcall/solid"

type Person = { name: string; color: string }

const circle: JSX.CSSProperties = {
  display: "grid",
  "place-items": "center",
  width: "40px",
  height: "40px",
  "margin-inline-start": "-8px",
  border: "2px solid Canvas",
  "border-radius": "50%",
  color: "white",
  "forced-color-adjust": "none", // in forced colors, too, the color tells people apart
  "font-weight": 600,
}

export function AvatarStack(props: { room: Room<Person>; max?: number }) {
  const self = useSelf(() => props.room)
  const others = useOthers(() => props.room)
  const max = () => props.max ?? 5
  const people = () => [self(), ...others()].filter((user) => user !== undefined)
  const hidden = () => people().slice(max())
  return (
    <ul aria-label="People here" style={{ display: "flex", margin: 0, padding: "0 0 0 8px", "list-style": "none" }}>
      <For each={people().slice(0, max())}>
        {({ metas: [{ name, color }] }) => (
          <li title={name} style={{ ...circle, background: color }}>
            {name.slice(0, 1)}
          </li>
        )}
      </For>
      <Show when={hidden().length > 0}>
        <li
          title={hidden()
            .map(({ metas: [{ name }] }) => name)
            .join(", ")}
          style={{ ...circle, background: "#555" }}
        >
          +{hidden().length}
        </li>
      </Show>
    </ul>
  )
}
