/** The application of `test/contracts/binding-app.ts`, with Solid. */
/** @jsxImportSource solid-js */
import {
  ErrorBoundary,
  For,
  Index,
  Show,
  Suspense,
  createEffect,
  createResource,
  createSignal,
  onMount,
  type Accessor,
  type JSX,
} from "solid-js"
import { createStore } from "solid-js/store"
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
} from "../../../src/client/bindings/solid.ts"
import type { Meta, Shown } from "../../contracts/binding-app.ts"
import { count, friendsText, providerProps, remember, rememberFriends, type Recorder } from "../recorder.ts"

function User(props: { room: Room<Meta> | undefined; of: string; recorder: Recorder }): JSX.Element {
  const texts = useUser(
    () => props.room,
    () => props.of,
    (user) => [user?.metas[0].name, user?.metas[0].color],
  )
  createEffect(() => {
    texts()
    count(props.recorder, props.of)
  })
  return <li class="user">{texts().join(" ")}</li>
}

function Panel(props: { shown: Shown; recorder: Recorder }): JSX.Element {
  const [mine, setMine] = createStore<Meta>({ name: props.shown.user })
  onMount(() => {
    props.recorder.mutate = (patch) => setMine(patch)
  })
  const room = useRoom<Meta>(
    () => props.shown.topic,
    () => ({
      ...(props.shown.me && { me: props.shown.isMutable ? mine : { ...props.shown.me } }),
      params: { from: "page" },
      initialUsers: props.shown.initialUsers?.slice(),
    }),
  )
  const status = useStatus(room)
  const keys = useUsers(room, (users) =>
    users
      .map(({ key }) => key)
      .filter((key) => key !== props.shown.hidden)
      .sort(),
  )
  const others = useOthers(room, (users) => users.map(({ key }) => key))
  const self = useSelf(room, (user) => user?.key)
  const update = useUpdate(room)
  const broadcast = useBroadcast(room)
  useEvent<object>(room, "cursor", (payload) =>
    props.recorder.cursors.push({ ...payload, seenBy: props.shown.me?.name }),
  )
  const [isReady] = createResource(room, async (room) => {
    if (props.shown.suspends) await room.ready
    return true
  })
  createEffect(() => {
    if (room()) Object.assign(props.recorder, { update, broadcast })
  })
  createEffect(() => remember(props.recorder, keys()))
  createEffect(() => {
    status()
    keys()
    others()
    self()
    count(props.recorder, "panel")
  })
  return (
    <Show when={!props.shown.suspends || !room() || isReady()}>
      <section class="panel">
        <p class="status">{status()}</p>
        <p class="keys">{keys().join(" ")}</p>
        <p class="others">{others().join(" ")}</p>
        <p class="self">{self()}</p>
        <ul>
          <For each={keys()}>{(key) => <User of={key} room={room()} recorder={props.recorder} />}</For>
        </ul>
      </section>
    </Show>
  )
}

function Friend(props: { of: string; recorder: Recorder }): JSX.Element {
  const status = useOnline(
    () => [props.of],
    (online) => online.get(props.of),
  )
  createEffect(() => {
    status()
    count(props.recorder, `friend ${props.of}`)
  })
  return (
    <li class="friend">
      {props.of} {status()}
    </li>
  )
}

function Friends(props: { asks: readonly string[]; recorder: Recorder }): JSX.Element {
  const online = useOnline(() => [...props.asks])
  createEffect(() => {
    rememberFriends(props.recorder, friendsText(online()))
    count(props.recorder, "friends")
  })
  return <p class="friends">{friendsText(online())}</p>
}

export function App(props: { first: Shown; recorder: Recorder }): JSX.Element {
  const [shown, setShown] = createSignal(props.first)
  onMount(() => {
    props.recorder.show = (change) => setShown((former) => ({ ...former, ...change }))
  })
  const panels: Accessor<unknown[]> = () => Array.from({ length: shown().panels })
  return (
    <ErrorBoundary
      fallback={(error: unknown) => {
        props.recorder.errors.push(String(error))
        return <p class="failed">failed</p>
      }}
    >
      <Show when={shown().isMounted}>
        <RollcallProvider {...providerProps(props.recorder, shown().user)}>
          <Index each={panels()}>
            {() => (
              <Suspense fallback={<p class="waiting" />}>
                <Panel shown={shown()} recorder={props.recorder} />
              </Suspense>
            )}
          </Index>
          <Show when={shown().asks}>
            {(asks) => (
              <>
                <Friends asks={asks()} recorder={props.recorder} />
                <For each={asks()}>{(key) => <Friend of={key} recorder={props.recorder} />}</For>
              </>
            )}
          </Show>
        </RollcallProvider>
      </Show>
    </ErrorBoundary>
  )
}
