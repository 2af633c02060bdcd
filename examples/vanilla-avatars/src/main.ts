import { connect } from "rollcall"
import { me, userId } from "./me.js"

const connection = connect("/socket", { params: { userId } })
const room = connection.room<{ name: string; color: string }>("rooms:lobby", { me })
const stack = document.querySelector("ul")!

room.subscribe(() => {
  stack.replaceChildren(
    ...room.list((_key, { metas: [{ name, color }] }) => {
      const avatar = document.createElement("li")
      avatar.title = name
      avatar.textContent = name.slice(0, 1)
      avatar.style.background = color
      return avatar
    }),
  )
})
