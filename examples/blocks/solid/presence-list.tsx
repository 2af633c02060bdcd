// Everybody in a room by name, each with a dot: filled for those who are here, hollow for those who are away.
// `rollcall/idle` sets `away`, and the server allows the field: `allow: ["name", "color", "away"]`.
import { For, createEffect, onCleanup } from "solid-js"
import { merged, type Room } from "rollcall"
import { idle } from "rollcall/idle"
import { useSelf, useUsers } from "rollcall/solid"

type Person = { name: string; color: string; away?: boolean }

export function PresenceList(props: { room: Room<Person> }) {
  const self = useSelf(() => props.room)
  const users = useUsers(() => props.room)
  const sorted = () => [...users()].sort((a, b) => a.metas[0].name.localeCompare(b.metas[0].name))
  createEffect(() => onCleanup(idle(props.room).stop))

  return (
    <ul aria-label="Everybody here" style={{ margin: 0, padding: 0, "list-style": "none" }}>
      <For each={sorted()}>
        {(user) => {
          const { name, color } = user.metas[0]
          const { away } = merged(user)
          const devices = user.metas.length
          return (
            <li style={{ display: "flex", "align-items": "center", gap: "8px", padding: "4px 0" }}>
              <span
                aria-hidden="true"
                style={{
                  width: "8px",
                  height: "8px",
                  border: `2px solid ${color}`,
                  "border-radius": "50%",
                  "forced-color-adjust": "none",
                  background: away ? "none" : color,
                }}
              />
              {name}
              <small style={{ opacity: 0.7 }}>
                {[user.key === self()?.key && "you", away && "away", devices > 1 && `${devices} devices`]
                  .filter(Boolean)
                  .join(" · ")}
              </small>
            </li>
          )
        }}
      </For>
    </ul>
  )
}
