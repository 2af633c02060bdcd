// The pointers of the others, over the whole page. The server relays them: `on: { cursor: relay({ reply: false }) }`.
import { For, Show, onCleanup, onMount } from "solid-js"
import { createStore } from "solid-js/store"
import type { Room } from "rollcall"
import { useBroadcast, useEvent, useOthers } from "rollcall/solid"

type Person = { name: string; color: string }
/** Parts of the window's width and height, so that windows of other sizes show the same place. */
type Point = { x: number; y: number }

export function Cursors(props: { room: Room<Person> }) {
  const others = useOthers(() => props.room)
  const broadcast = useBroadcast(() => props.room)
  const [points, setPoints] = createStore<Record<string, Point>>({})

  useEvent<Point & { from: string }>(
    () => props.room,
    "cursor",
    ({ x, y, from }) => setPoints(from, { x, y }),
  )
  const move = ({ clientX, clientY }: PointerEvent) =>
    void broadcast("cursor", { x: clientX / innerWidth, y: clientY / innerHeight }, { volatile: true })
  onMount(() => {
    addEventListener("pointermove", move)
    onCleanup(() => removeEventListener("pointermove", move))
  })

  return (
    <div
      aria-hidden="true"
      style={{
        position: "fixed",
        inset: 0,
        overflow: "hidden",
        "pointer-events": "none",
        "forced-color-adjust": "none",
      }}
    >
      <For each={others()}>
        {({ key, metas: [{ name, color }] }) => (
          <Show when={points[key]}>
            {(point) => (
              <div style={{ position: "absolute", left: `${point().x * 100}%`, top: `${point().y * 100}%` }}>
                <svg width="20" height="20" fill={color} stroke="white" style={{ display: "block" }}>
                  <path d="M1 1 L6 18 L9 10 L17 7 Z" />
                </svg>
                <span
                  style={{
                    "margin-left": "14px",
                    padding: "2px 8px",
                    "border-radius": "9px",
                    background: color,
                    color: "white",
                  }}
                >
                  {name}
                </span>
              </div>
            )}
          </Show>
        )}
      </For>
    </div>
  )
}
