import { tokens } from "rollcall/server"

const DAY_S = 86_400

// Two kinds of token, each with a secret of its own, so that neither passes for the other.
/** Stands for your own login: what the cookie of a signed-in visitor holds. */
export const sessionTokens = () => tokens({ secret: `session ${process.env.SECRET}`, maxAgeS: 30 * DAY_S })
/** What the page sends when it connects: it gets a new one for each attempt. */
export const socketTokens = () => tokens({ secret: `socket ${process.env.SECRET}`, maxAgeS: DAY_S })
