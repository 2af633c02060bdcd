// A text field, and a line that names who is typing. The server allows the field: `allow: ["name", "color", "typing"]`.
import { Show, createSignal } from "solid-js"
import { merged, type Room } from "rollcall"
import { useOthers, useUpdate } from "rollcall/solid"

type Person = { name: string; typing?: boolean }

const listOf = new Intl.ListFormat("en")

export function Typing(props: { room: Room<Person>; onSend: (text: string) => void }) {
  const update = useUpdate(() => props.room)
  const [text, setText] = createSignal("")
  const names = useOthers(
    () => props.room,
    (others) => others.flatMap((user) => (merged(user).typing ? [user.metas[0].name] : [])),
  )
  const send = (event: SubmitEvent) => {
    event.preventDefault()
    if (text().trim() === "") return
    props.onSend(text())
    setText("")
    void update({ typing: undefined })
  }

  return (
    <form onSubmit={send}>
      <input
        aria-label="Message"
        placeholder="Write a message"
        value={text()}
        style={{ width: "100%", "box-sizing": "border-box", padding: "8px 12px", font: "inherit" }}
        onInput={(event) => {
          setText(event.currentTarget.value)
          void update({ typing: true }, { forMs: 3000 }) // goes back by itself, 3 s after the last key
        }}
      />
      <p aria-live="polite" style={{ "min-height": "1.5em", margin: "4px 0", opacity: 0.7 }}>
        <Show when={names().length > 0}>
          {listOf.format(names())} {names().length > 1 ? "are" : "is"} typing …
        </Show>
      </p>
    </form>
  )
}
