import { currentUser } from "../../lib/session"
import { socketTokens } from "../../lib/tokens"

/** The page fetches this at each attempt to connect. */
export async function GET() {
  const user = await currentUser()
  if (!user) return new Response("signed out", { status: 401 })
  const { sign } = await socketTokens()
  return new Response(await sign({ sub: user.id, name: user.name }))
}
