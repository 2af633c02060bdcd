/** The application of `test/contracts/binding-app.ts`, with React. */
import { Component, Suspense, StrictMode, memo, useEffect, useState, type ReactNode } from "react"
import * as React from "react"
import type { Room } from "../../../src/client/index.ts"
import {
  RollcallProvider,
  useBroadcast,
  useEvent,
  useOnline,
  useOthers,
  useRoom,
  useSelf,
  useStatus,
  useUpdate,
  useUser,
  useUsers,
} from "../../../src/client/bindings/react.ts"
import type { Meta, Shown } from "../../contracts/binding-app.ts"
import { count, friendsText, providerProps, remember, rememberFriends, type Recorder } from "../recorder.ts"

/** Counts after each render that is shown. */
function useCount(recorder: Recorder, name: string): void {
  useEffect(() => {
    count(recorder, name)
  })
}

const User = memo(({ room, of, recorder }: { room: Room<Meta> | undefined; of: string; recorder: Recorder }) => {
  useCount(recorder, of)
  const [name, color] = useUser(room, of, (user) => [user?.metas[0].name, user?.metas[0].color])
  return (
    <li className="user">
      {name} {color}
    </li>
  )
})

/** React 18 has no `use`. */
function waitFor(promise: Promise<unknown>): void {
  const { use } = React as { use?: (promise: Promise<unknown>) => unknown }
  const { status } = promise as { status?: string }
  if (use) use(promise)
  else if (status === "pending") throw promise
  else if (status === "rejected") throw (promise as { reason?: unknown }).reason
  else if (status === undefined) {
    const settled = promise as { status?: string; reason?: unknown }
    settled.status = "pending"
    promise.then(
      () => (settled.status = "fulfilled"),
      (reason: unknown) => Object.assign(settled, { status: "rejected", reason }),
    )
    throw promise
  }
}

function Panel({ shown, recorder }: { shown: Shown; recorder: Recorder }): ReactNode {
  useCount(recorder, "panel")
  const [mine, setMine] = useState<Meta>({ name: shown.user })
  useEffect(() => {
    recorder.mutate = (patch) => setMine((former) => ({ ...former, ...patch }))
  })
  // Inline objects are others in each render.
  const room = useRoom<Meta>(shown.topic, {
    ...(shown.me && { me: shown.isMutable ? mine : { ...shown.me } }),
    params: { from: "page" },
    initialUsers: shown.initialUsers?.slice(),
  })
  if (shown.suspends && room) waitFor(room.ready)
  const status = useStatus(room)
  const keys = useUsers(room, (users) =>
    users
      .map(({ key }) => key)
      .filter((key) => key !== shown.hidden)
      .sort(),
  )
  const others = useOthers(room, (users) => users.map(({ key }) => key))
  const self = useSelf(room)
  const update = useUpdate(room)
  const broadcast = useBroadcast(room)
  useEvent<object>(room, "cursor", (payload) => recorder.cursors.push({ ...payload, seenBy: shown.me?.name }))
  useEffect(() => {
    if (room) Object.assign(recorder, { update, broadcast })
    remember(recorder, keys)
  })
  return (
    <section className="panel">
      <p className="status">{status}</p>
      <p className="keys">{keys.join(" ")}</p>
      <p className="others">{others.join(" ")}</p>
      <p className="self">{self?.key}</p>
      <ul>
        {keys.map((key) => (
          <User key={key} of={key} room={room} recorder={recorder} />
        ))}
      </ul>
    </section>
  )
}

const Friend = memo(({ of, recorder }: { of: string; recorder: Recorder }) => {
  useCount(recorder, `friend ${of}`)
  const status = useOnline([of], (online) => online.get(of))
  return (
    <li className="friend">
      {of} {status}
    </li>
  )
})

const Friends = memo(({ asks, recorder }: { asks: readonly string[]; recorder: Recorder }) => {
  useCount(recorder, "friends")
  // An inline array is another one in each render.
  const text = friendsText(useOnline([...asks]))
  useEffect(() => rememberFriends(recorder, text))
  return <p className="friends">{text}</p>
})

class Errors extends Component<{ recorder: Recorder; children: ReactNode }> {
  override state = { failed: false }
  static getDerivedStateFromError = () => ({ failed: true })
  override componentDidCatch(error: unknown): void {
    this.props.recorder.errors.push(String(error))
  }
  override render(): ReactNode {
    return this.state.failed ? <p className="failed">failed</p> : this.props.children
  }
}

export function App({ first, recorder }: { first: Shown; recorder: Recorder }): ReactNode {
  const [shown, setShown] = useState(first)
  useEffect(() => {
    recorder.show = (change) => setShown((former) => ({ ...former, ...change }))
  }, [recorder])
  const panels = Array.from({ length: shown.panels }, (_, index) => (
    <Suspense key={index} fallback={<p className="waiting" />}>
      <Panel shown={shown} recorder={recorder} />
    </Suspense>
  ))
  const friends = shown.asks && (
    <>
      <Friends asks={shown.asks} recorder={recorder} />
      {shown.asks.map((key) => (
        <Friend key={key} of={key} recorder={recorder} />
      ))}
    </>
  )
  return (
    <StrictMode>
      <Errors recorder={recorder}>
        {shown.isMounted && (
          <RollcallProvider {...providerProps(recorder, shown.user)}>
            {panels}
            {friends}
          </RollcallProvider>
        )}
      </Errors>
    </StrictMode>
  )
}
