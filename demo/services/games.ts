import { os } from "@orpc/server"
import type { CallContext, Placement, Services } from "rollcall/services"
import type { GameAnswer } from "./messages.js"

/** A game that is being played. Its process lives on one worker; when it moves, its turn count moves with it. */
interface Game {
  turn: number
}

/** How many games a worker starts to move within a second. Few, so that one can watch them. */
const MOVES_PER_SECOND = 3

const procedure = os.$context<CallContext & { process: Game }>()

/** Takes part in running the games. */
export function placeGames(services: Services): Placement {
  return services.place<Game, number>(
    "game",
    {
      start: (_id, turn = 0) => ({ turn }),
      stop: (_id, _reason, game) => game.turn,
      router: {
        play: procedure.handler(({ context }): GameAnswer => {
          context.process.turn += 1
          return { pid: process.pid, turn: context.process.turn }
        }),
      },
    },
    { movesPerSecond: MOVES_PER_SECOND },
  )
}
