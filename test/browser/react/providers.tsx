/** Pages with providers of all kinds: `?name` in the URL chooses one. */
import { Suspense, StrictMode, use, useState, type ReactNode } from "react"
import { createRoot } from "react-dom/client"
import { connect } from "../../../src/client/index.ts"
import { RollcallProvider, useRoom, useUsers } from "../../../src/client/bindings/react.ts"

const keysOf = (users: readonly { readonly key: string }[]): string => users.map(({ key }) => key).join(" ")

function Users({ topic, waits }: { topic: string; waits?: boolean }): ReactNode {
  const room = useRoom(topic)
  if (waits) use(room.ready)
  const keys = useUsers(room, (users) => users.map(({ key }) => key).sort())
  return <p className="keys">{keys.join(" ")}</p>
}

const never = new Promise<never>(() => {})

/** A component whose renders are all thrown away. */
function Forgotten(): ReactNode {
  const room = useRoom("rooms:forgotten")
  useUsers(room)
  return use(never)
}

const url = "/socket"
const user = (name: string) => ({ params: { user: name } })

const PAGES: Record<string, () => ReactNode> = {
  given: () => {
    const connection = connect(url, user("me"))
    const Page = (): ReactNode => {
      const [isShown, show] = useState(true)
      return (
        <>
          <button onClick={() => show(!isShown)}>toggle</button>
          <p className="status">{connection.status}</p>
          {isShown && (
            <RollcallProvider connection={connection}>
              <Users topic="rooms:1" />
            </RollcallProvider>
          )}
        </>
      )
    }
    return <Page />
  },
  suspended: () => (
    <Suspense fallback="waiting">
      <RollcallProvider url={url} options={user("me")}>
        <Users topic="rooms:1" waits />
      </RollcallProvider>
    </Suspense>
  ),
  forgotten: () => (
    <RollcallProvider url={url} options={user("me")}>
      <Suspense fallback="waiting">
        <Forgotten />
      </Suspense>
      <Users topic="rooms:1" />
    </RollcallProvider>
  ),
  two: () => (
    <>
      <RollcallProvider url={url} options={user("me")}>
        <Users topic="rooms:1" />
      </RollcallProvider>
      <RollcallProvider url={url} options={user("you")}>
        <Users topic="rooms:1" />
      </RollcallProvider>
    </>
  ),
  outside: () => <Users topic="rooms:1" />,
  frozen: () => {
    // The same selector in each render, and an isEqual that closes over what changes.
    const Frozen = (): ReactNode => {
      const [isFrozen, freeze] = useState(true)
      const room = useRoom("rooms:1")
      const keys = useUsers(room, keysOf, (a, b) => isFrozen || a === b)
      return (
        <button onClick={() => freeze(false)}>
          {room.size} of {keys || "nobody"}
        </button>
      )
    }
    return (
      <RollcallProvider url={url} options={user("me")}>
        <Users topic="rooms:1" />
        <Frozen />
      </RollcallProvider>
    )
  },
  unequal: () => {
    // An isEqual of the application, and a selector that returns a new object each time and sets a state.
    const Page = (): ReactNode => {
      const room = useRoom("rooms:1")
      const { size } = useUsers(
        room,
        (users) => ({ size: users.length }),
        (a, b) => a.size === b.size,
      )
      return <p className="keys">{size}</p>
    }
    return (
      <RollcallProvider url={url} options={user("me")}>
        <Page />
      </RollcallProvider>
    )
  },
}

createRoot(document.querySelector("#app")!).render(<StrictMode>{PAGES[location.search.slice(1)]!()}</StrictMode>)
