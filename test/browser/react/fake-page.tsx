/** A component of an application, driven without a server: the global `fake` is the connection's test double. */
import { StrictMode, type ReactNode } from "react"
import { createRoot } from "react-dom/client"
import {
  RollcallProvider,
  useEvent,
  useOthers,
  useRoom,
  useStatus,
  useUpdate,
} from "../../../src/client/bindings/react.ts"
import { fakeConnection } from "../../../src/testing/index.ts"

type Person = { name: string; status?: string }

function Avatars(): ReactNode {
  const room = useRoom<Person>("rooms:1", { me: { name: "Me" } })
  const status = useStatus(room)
  const names = useOthers(room, (users) => users.map(({ metas: [{ name, status = "here" }] }) => `${name} ${status}`))
  const update = useUpdate(room)
  useEvent<{ text: string }>(room, "chat", ({ text }) => (document.title = text))
  return (
    <main>
      <p id="status">{status}</p>
      <p id="names">{names.join(", ")}</p>
      <button onClick={() => void update({ status: "busy" })}>busy</button>
    </main>
  )
}

const fake = fakeConnection()
Object.assign(globalThis, { fake })
createRoot(document.getElementById("app")!).render(
  <StrictMode>
    <RollcallProvider connection={fake.connection}>
      <Avatars />
    </RollcallProvider>
  </StrictMode>,
)
