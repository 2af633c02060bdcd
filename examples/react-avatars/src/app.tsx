import { RollcallProvider, useRoom, useStatus } from "rollcall/react"
import { AvatarStack } from "./avatar-stack.js"

type Person = { name: string; color: string }

function Lobby({ me }: { me: Person }) {
  const room = useRoom<Person>("rooms:lobby", { me })
  const isLive = useStatus(room) === "live"
  return (
    <main>
      <h1>The lobby</h1>
      <AvatarStack room={room} />
      <p>{isLive ? "Open this page in a second tab." : "Connecting …"}</p>
    </main>
  )
}

export const App = ({ me, userId }: { me: Person; userId: string }) => (
  <RollcallProvider url="/socket" options={{ params: { userId } }}>
    <Lobby me={me} />
  </RollcallProvider>
)
