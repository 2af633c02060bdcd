import { element } from "../element.js"
import { GAMES } from "./messages.js"

/** How long a tile flies from one worker to another, in ms. */
const FLIGHT_MS = 700
/** How long a tile is marked after it has come, in ms. */
const MARKED_MS = 5_000

/** The tiles of the games, each in the list of the worker that runs it. */
export interface GameTiles {
  /** Moves a game to a worker. @param isNew whether it has lost its state */
  place(game: number, worker: number, isNew: boolean): void
  /** Removes the games that do not run at all. */
  keep(games: readonly number[]): void
  showTurns(turns: readonly number[]): void
}

/** @param lists the lists of the workers, in the order of their numbers */
export function createGameTiles(lists: readonly HTMLElement[]): GameTiles {
  const calm = matchMedia("(prefers-reduced-motion: reduce)")
  const tiles = Array.from({ length: GAMES }, (_, index) => {
    const tile = element("li", "game")
    tile.dataset["game"] = String(index + 1)
    tile.append(element("span", "game-number", String(index + 1)), element("span", "turn"))
    return tile
  })
  const unmarking = new Map<HTMLElement, ReturnType<typeof setTimeout>>()

  function mark(tile: HTMLElement, isNew: boolean): void {
    tile.dataset["came"] = isNew ? "anew" : "moved"
    clearTimeout(unmarking.get(tile))
    unmarking.set(
      tile,
      setTimeout(() => delete tile.dataset["came"], MARKED_MS),
    )
  }

  /** Lets a tile fly from where it was to where it is now. */
  function fly(tile: HTMLElement, from: DOMRect): void {
    const to = tile.getBoundingClientRect()
    const move = `translate(${from.left - to.left}px, ${from.top - to.top}px)`
    const frames = [
      { transform: `${move} scale(1.25)`, zIndex: 2 },
      { transform: "none", zIndex: 2 },
    ]
    tile.animate(frames, { duration: FLIGHT_MS, easing: "cubic-bezier(0.3, 0.7, 0.2, 1)" })
  }

  return {
    place(game, worker, isNew) {
      const tile = tiles[game]
      const list = lists[worker - 1]
      if (tile === undefined || list === undefined || tile.parentElement === list) return
      const isKnown = tile.parentElement !== null
      const from = tile.getBoundingClientRect()
      // In the order of the games, so that a game that comes back is where it was.
      const next = Array.from(list.children).find((other) => tiles.indexOf(other as HTMLElement) > game)
      list.insertBefore(tile, next ?? null)
      if (!isKnown) return
      mark(tile, isNew)
      if (!calm.matches) fly(tile, from)
    },
    keep(games) {
      const kept = new Set(games)
      for (const [index, tile] of tiles.entries()) if (!kept.has(index)) tile.remove()
    },
    showTurns(turns) {
      for (const [index, tile] of tiles.entries()) {
        const text = String(turns[index] ?? 0)
        const turn = tile.lastElementChild!
        if (turn.textContent !== text) turn.textContent = text
      }
    },
  }
}
