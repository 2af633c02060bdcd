import { defineRoom } from "rollcall/server"
import { z } from "zod"
import { LINE_LENGTH, NAME_LENGTH, STATUSES, VISIBLE } from "./device.js"

/** What the server accepts of a page. */
export const rooms = defineRoom("rooms:*", {
  meta: z.object({
    name: z.string().trim().regex(VISIBLE).max(NAME_LENGTH).default("Guest"),
    status: z.enum(STATUSES).default("available"),
    away: z.boolean().optional(),
    typing: z.boolean().optional(),
    mark: z.int().optional(),
    crowd: z.boolean().optional(),
    since: z.number().optional(),
  }),
  events: {
    cursor: z.object({ x: z.number(), y: z.number() }),
    say: z.object({ text: z.string().trim().min(1).max(LINE_LENGTH) }),
    /**
     * Asks for a crowd of this size. `isSeen`: only if nobody has asked since the server was started, because the page shows this
     * crowd from before.
     */
    crowd: z.object({ size: z.int().min(0).max(500), isSeen: z.boolean().optional() }),
  },
})
