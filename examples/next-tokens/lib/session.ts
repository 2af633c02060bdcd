import { cookies } from "next/headers"
import { sessionTokens } from "./tokens"

const COOKIE = "session"

/** Who is signed in, or nobody. */
export async function currentUser() {
  const cookie = (await cookies()).get(COOKIE)?.value
  const { verify } = await sessionTokens()
  const claims = await verify(cookie).catch(() => undefined)
  return claims && { id: String(claims.sub), name: String(claims.name) }
}

export async function signIn(name: string) {
  const { sign } = await sessionTokens()
  const session = await sign({ sub: crypto.randomUUID(), name })
  // In production, behind HTTPS, set HTTPS=1: browsers then never send the cookie without encryption.
  ;(await cookies()).set(COOKIE, session, { httpOnly: true, sameSite: "lax", secure: process.env.HTTPS === "1" })
}

export async function signOut() {
  ;(await cookies()).delete(COOKIE)
}
