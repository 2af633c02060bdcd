// Everybody in a room by name, each with a dot: filled for those who are here, hollow for those who are away.
// `rollcall/idle` sets `away`, and the server allows the field: `allow: ["name", "color", "away"]`.
import { useEffect } from "react"
import { merged, type Room } from "rollcall"
import { idle } from "rollcall/idle"
import { useSelf, useUsers } from "rollcall/react"

type Person = { name: string; color: string; away?: boolean }

export function PresenceList({ room }: { room: Room<Person> }) {
  const self = useSelf(room)
  const people = useUsers(room)
    .map((user) => ({ key: user.key, devices: user.metas.length, ...user.metas[0], away: merged(user).away }))
    .sort((a, b) => a.name.localeCompare(b.name))
  useEffect(() => idle(room).stop, [room])

  return (
    <ul aria-label="Everybody here" style={{ margin: 0, padding: 0, listStyle: "none" }}>
      {people.map(({ key, name, color, away, devices }) => (
        <li key={key} style={{ display: "flex", alignItems: "center", gap: 8, padding: "4px 0" }}>
          <span
            aria-hidden
            style={{
              width: 8,
              height: 8,
              border: `2px solid ${color}`,
              borderRadius: "50%",
              forcedColorAdjust: "none",
              background: away ? "none" : color,
            }}
          />
          {name}
          <small style={{ opacity: 0.7 }}>
            {[key === self?.key && "you", away && "away", devices > 1 && `${devices} devices`]
              .filter(Boolean)
              .join(" · ")}
          </small>
        </li>
      ))}
    </ul>
  )
}
