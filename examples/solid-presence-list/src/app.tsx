import { RollcallProvider, useRoom } from "rollcall/solid"
import { AvatarStack } from "./avatar-stack.js"
import { PresenceList } from "./presence-list.js"

type Person = { name: string; color: string; away?: boolean }

function Lobby(props: { me: Person }) {
  const room = useRoom<Person>("rooms:lobby", () => ({ me: props.me }))
  return (
    <main>
      <h1>Who is here?</h1>
      <AvatarStack room={room()} />
      <PresenceList room={room()} />
    </main>
  )
}

export const App = (props: { me: Person; userId: string }) => (
  <RollcallProvider url="/socket" options={{ params: { userId: props.userId } }}>
    <Lobby me={props.me} />
  </RollcallProvider>
)
