// The pointers of the others, over the whole page. The server relays them: `on: { cursor: relay({ reply: false }) }`.
import { useEffect, useState } from "react"
import type { Room } from "rollcall"
import { useBroadcast, useEvent, useOthers } from "rollcall/react"

type Person = { name: string; color: string }
/** Parts of the window's width and height, so that windows of other sizes show the same place. */
type Point = { x: number; y: number }

export function Cursors({ room }: { room: Room<Person> }) {
  const others = useOthers(room)
  const broadcast = useBroadcast(room)
  const [points, setPoints] = useState<Record<string, Point>>({})

  useEvent<Point & { from: string }>(room, "cursor", ({ x, y, from }) =>
    setPoints((all) => ({ ...all, [from]: { x, y } })),
  )
  useEffect(() => {
    const move = ({ clientX, clientY }: PointerEvent) =>
      void broadcast("cursor", { x: clientX / innerWidth, y: clientY / innerHeight }, { volatile: true })
    addEventListener("pointermove", move)
    return () => removeEventListener("pointermove", move)
  }, [broadcast])

  return (
    <div
      aria-hidden
      style={{ position: "fixed", inset: 0, overflow: "hidden", pointerEvents: "none", forcedColorAdjust: "none" }}
    >
      {others.map(({ key, metas: [{ name, color }] }) => {
        const point = points[key]
        if (!point) return null
        return (
          <div key={key} style={{ position: "absolute", left: `${point.x * 100}%`, top: `${point.y * 100}%` }}>
            <svg width="20" height="20" fill={color} stroke="white" style={{ display: "block" }}>
              <path d="M1 1 L6 18 L9 10 L17 7 Z" />
            </svg>
            <span style={{ marginLeft: 14, padding: "2px 8px", borderRadius: 9, background: color, color: "white" }}>
              {name}
            </span>
          </div>
        )
      })}
    </div>
  )
}
