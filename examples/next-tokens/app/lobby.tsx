"use client"

import { useState } from "react"
import { RollcallProvider, useRoom } from "rollcall/react"
import { AvatarStack } from "./avatar-stack"

type Person = { name: string; color: string }

async function authToken() {
  return (await fetch("/token")).text()
}

function Avatars() {
  // Only `color` is ours to say. The server takes the name from the token.
  const [color] = useState(() => `oklch(50% 0.13 ${Math.floor(Math.random() * 360)})`)
  const room = useRoom<Person>("rooms:lobby", { me: { color } })
  return <AvatarStack room={room} />
}

export const Lobby = () => (
  <RollcallProvider url="/socket" options={{ authToken }}>
    <Avatars />
  </RollcallProvider>
)
