// A text field, and a line that names who is typing. The server allows the field: `allow: ["name", "color", "typing"]`.
import { useState } from "react"
import { merged, type Room } from "rollcall"
import { useOthers, useUpdate } from "rollcall/react"

type Person = { name: string; typing?: boolean }

const listOf = new Intl.ListFormat("en")

export function Typing({ room, onSend }: { room: Room<Person>; onSend: (text: string) => void }) {
  const update = useUpdate(room)
  const [text, setText] = useState("")
  const names = useOthers(room, (others) => others.flatMap((user) => (merged(user).typing ? [user.metas[0].name] : [])))

  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        if (text.trim() === "") return
        onSend(text)
        setText("")
        void update({ typing: undefined })
      }}
    >
      <input
        aria-label="Message"
        placeholder="Write a message"
        value={text}
        style={{ width: "100%", boxSizing: "border-box", padding: "8px 12px", font: "inherit" }}
        onChange={(event) => {
          setText(event.target.value)
          void update({ typing: true }, { forMs: 3000 }) // goes back by itself, 3 s after the last key
        }}
      />
      <p aria-live="polite" style={{ minHeight: "1.5em", margin: "4px 0", opacity: 0.7 }}>
        {names.length > 0 && `${listOf.format(names)} ${names.length > 1 ? "are" : "is"} typing …`}
      </p>
    </form>
  )
}
