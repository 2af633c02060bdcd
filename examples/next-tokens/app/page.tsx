import { redirect } from "next/navigation"
import { currentUser, signIn, signOut } from "../lib/session"
import { Lobby } from "./lobby"

async function enter(form: FormData) {
  "use server"
  const name = String(form.get("name")).trim().slice(0, 40)
  if (name) await signIn(name)
  redirect("/")
}

async function leave() {
  "use server"
  await signOut()
  redirect("/")
}

export default async function Page() {
  const user = await currentUser()
  if (!user) {
    return (
      <form action={enter}>
        <h1>Who are you?</h1>
        <input name="name" aria-label="Your name" placeholder="Your name" required maxLength={40} />{" "}
        <button>Enter</button>
      </form>
    )
  }
  return (
    <>
      <h1>Hello, {user.name}</h1>
      <Lobby />
      <form action={leave}>
        <button>Sign out</button>
      </form>
    </>
  )
}
