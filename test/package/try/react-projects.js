/** The files of the projects of `edits.js`, as their authors would write them. */

/** The users of a room. An edit changes `TITLE`, or adds a hook, which makes React mount the component anew. */
const ROOM = `
import { useState } from "react"
import { RollcallProvider, useRoom, useStatus, useUser, useUsers } from "rollcall/react"

function User({ room, of }) {
  const user = useUser(room, of)
  return <li>{user?.metas[0].name}</li>
}

export function Room({ topic, initialUsers }) {
  const room = useRoom(topic, { me: { name: "Me" }, initialUsers })
  const keys = useUsers(room, (users) => users.map((user) => user.key).sort())
  return (
    <section>
      <h1>TITLE</h1>
      <p id="status">{useStatus(room)}</p>
      <ul>{keys.map((key) => <User key={key} of={key} room={room} />)}</ul>
    </section>
  )
}
`

/** A list of which only the rows in sight are rendered. */
const BIG = `
import { memo, useMemo, useState, useSyncExternalStore } from "react"
import { sortBy } from "rollcall"
import { useRoom, useUsers } from "rollcall/react"

const HEIGHT = 24
const SHOWN = 40
const byName = (a, b) => (a.metas[0].name < b.metas[0].name ? -1 : 1)
const Row = memo(({ user, at }) => (
  <div style={{ position: "absolute", top: at * HEIGHT }}>{user.metas[0].name} {user.metas[0].at}</div>
))

export function Big() {
  const room = useRoom("rooms:big")
  const size = useUsers(room, (users) => users.length)
  const [from, setFrom] = useState(0)
  const sorted = useMemo(() => sortBy(room, byName), [room])
  const window = useMemo(() => sorted.window(from, from + SHOWN), [sorted, from])
  const users = useSyncExternalStore(window.subscribe, window.getSnapshot, window.getSnapshot)
  return (
    <div id="list" style={{ height: 480, overflow: "auto" }}
      onScroll={(event) => setFrom(Math.floor(event.currentTarget.scrollTop / HEIGHT))}>
      <div id="size" style={{ position: "relative", height: size * HEIGHT }} data-size={size}>
        {users.map((user, index) => <Row key={user.key} user={user} at={from + index} />)}
      </div>
    </div>
  )
}
`

export const viteFiles = (/** @type {string} */ socket) => ({
  "index.html": `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/main.jsx"></script>`,
  "vite.config.js": `import react from "@vitejs/plugin-react"\nexport default { plugins: [react()], server: { host: "127.0.0.1", port: 0 } }\n`,
  "main.jsx": `
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { App } from "./App.jsx"
createRoot(document.querySelector("#app")).render(<StrictMode><App /></StrictMode>)
`,
  "App.jsx": `
import { RollcallProvider } from "rollcall/react"
import { Big } from "./Big.jsx"
import { Room } from "./Room.jsx"
export function App() {
  return (
    <RollcallProvider url=${JSON.stringify(socket)} options={{ params: { user: "me" } }}>
      {location.hash === "#big" ? <Big /> : <Room topic="rooms:1" />}
    </RollcallProvider>
  )
}
`,
  "Room.jsx": ROOM,
  "Big.jsx": BIG,
})

export const nextFiles = (/** @type {string} */ socket) => ({
  "next.config.mjs": `export default { devIndicators: false }\n`,
  "app/providers.jsx": `"use client"
import { RollcallProvider } from "rollcall/react"
export function Providers({ children }) {
  return <RollcallProvider url=${JSON.stringify(socket)} options={{ params: { user: "me" } }}>{children}</RollcallProvider>
}
`,
  "app/layout.jsx": `import { Providers } from "./providers.jsx"
export default function Layout({ children }) {
  return <html lang="en"><head><link rel="icon" href="data:," /></head><body><Providers>{children}</Providers></body></html>
}
`,
  "app/room.jsx": `"use client"${ROOM}`,
  "app/waiting.jsx": `"use client"
import { use } from "react"
import { useRoom, useUsers } from "rollcall/react"
export function Waiting() {
  const room = useRoom("rooms:1", { me: { name: "Me" } })
  use(room.ready)
  return <p id="waited">{useUsers(room, (users) => users.map((user) => user.key).sort()).join(" ")}</p>
}
`,
  "app/page.jsx": `import Link from "next/link"
import { Room } from "./room.jsx"
export const dynamic = "force-dynamic"
export default function Page() {
  return <><Room topic="rooms:1" initialUsers={[{ key: "ada", metas: [{ name: "Ada", phx_ref: "0" }] }]} /><Link href="/other">other</Link></>
}
`,
  "app/other/page.jsx": `import Link from "next/link"
import { Room } from "../room.jsx"
export default function Page() {
  return <><Room topic="rooms:2" /><Link href="/">back</Link></>
}
`,
  "app/waiting/page.jsx": `import { Waiting } from "../waiting.jsx"
export const dynamic = "force-dynamic"
export default function Page() {
  return <Waiting />
}
`,
})
