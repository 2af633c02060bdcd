import type { connect, Room } from "rollcall"
import { element, find } from "../element.js"
import { showNavigation } from "../navigation.js"
import { createFlow } from "./flow.js"
import { createGameTiles } from "./game-tiles.js"
import { PLOTTED_SECONDS } from "./latest-seconds.js"
import { TOPIC, WORKERS } from "./messages.js"
import type { History, Line, Meta, Second, Tick } from "./messages.js"
import { drawDurations, drawJobs } from "./plots.js"
import { ROUTE_CHOICES } from "./route-choices.js"
import { createWorkerCard } from "./worker-card.js"

const FEED_LENGTH = 30
/** The time between two commands, in ms. The server takes no more than one in 300 ms. */
const REST_MS = 400

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hourCycle: "h23" })

/** Connects to the demo's server, and shows what goes on there. */
export function open(library: { connect: typeof connect }): void {
  showNavigation()
  const connection = library.connect("/socket", { params: { userId: "spectator" } })
  const room = connection.room<Meta>(TOPIC)
  const send = sender(room)
  const cards = WORKERS.map((number) => createWorkerCard(number, (command) => send(command, number)))
  find("workers").replaceChildren(...cards.map((card) => card.element))
  const tiles = createGameTiles(cards.map((card) => card.games))
  const flow = createFlow(
    find("stage"),
    find("dispatcher"),
    cards.map((card) => card.element),
  )
  const checkRoute = showRoutes((name) => send("route", name))
  let seconds: readonly Second[] = []
  let lines: readonly Line[] = []

  const show = (): void => {
    const { status, users } = room.getSnapshot()
    find("stage").classList.toggle("stale", status === "stale")
    find("state").dataset["is"] = status
    showNow()
    for (const { metas } of users) {
      const [meta] = metas
      if (meta.kind === "worker") cards[meta.number - 1]?.show(meta.state, meta.pid)
      else if (meta.kind === "game") tiles.place(meta.index, meta.worker, meta.isNew)
      else checkRoute(meta.route)
    }
    if (status === "live") tiles.keep(users.flatMap(({ metas: [meta] }) => (meta.kind === "game" ? [meta.index] : [])))
    flow.measure()
  }
  const showNow = (): void => {
    const latest = lines.at(-1)?.text ?? "Four worker processes and a dispatcher are being started…"
    const text = room.status === "stale" ? "The demo's server does not answer. Connecting again…" : latest
    // Replacing a text by itself would make a screen reader read it again.
    if (find("now").textContent !== text) find("now").textContent = text
  }
  const draw = (): void => {
    drawJobs(find("jobs-plot"), seconds, lines)
    drawDurations(find("durations-plot"), seconds, lines)
    const latest = seconds.at(-1)
    const done = latest?.counts.reduce((sum, count) => sum + count, 0) ?? 0
    find("rate").textContent = String(done)
    find("failed").textContent = latest === undefined || latest.failed === 0 ? "none failed" : `${latest.failed} failed`
    for (const [index, card] of cards.entries()) card.showRate(latest?.counts[index] ?? 0)
  }

  room.on<History>("history", (history) => {
    ;({ seconds, lines } = history)
    find("feed").replaceChildren()
    for (const line of lines) find("feed").prepend(rowOf(line))
    showNow()
    draw()
  })
  room.on<Tick>("tick", ({ jobs, inFlight, turns }) => {
    for (const [index, card] of cards.entries()) card.showPending(inFlight[index] ?? 0)
    for (const [worker, site] of jobs) cards[worker - 1]?.addSite(site)
    for (const card of cards) card.showSites()
    tiles.showTurns(turns)
    flow.add(jobs)
  })
  room.on<Second>("second", (second) => {
    seconds = [...seconds, second].slice(-PLOTTED_SECONDS)
    draw()
  })
  room.on<Line>("line", (line) => {
    lines = [...lines, line].slice(-FEED_LENGTH)
    find("feed").prepend(rowOf(line))
    while (find("feed").childElementCount > FEED_LENGTH) find("feed").lastElementChild?.remove()
    showNow()
    draw()
  })
  room.subscribe(show)
  new ResizeObserver(() => {
    flow.measure()
    draw()
  }).observe(find("services"))
  show()
}

/** Returns a function that sends a command after those before it, and shows why if it is refused. */
function sender(room: Room<Meta>): (command: string, argument: number | string) => void {
  let latest = Promise.resolve()
  async function send(command: string, argument: number | string): Promise<void> {
    find("note").textContent = ""
    try {
      await room.push(command, { argument })
    } catch (error) {
      const { reason } = error as { reason?: { reason?: string } }
      find("note").textContent = reason?.reason ?? "The demo's server did not answer: try again."
    }
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
  }
  return (command, argument) => {
    latest = latest.then(() => send(command, argument))
  }
}

function rowOf({ time, text }: Line): HTMLElement {
  const row = element("li", "")
  row.append(element("time", "", clock.format(time)), element("span", "", text))
  return row
}

/** Shows the radio buttons of the routes. Returns a function that checks the one that the dispatcher uses. */
function showRoutes(choose: (name: string) => void): (name: string) => void {
  for (const { name } of ROUTE_CHOICES) {
    const choice = element("label", "choice")
    const input = document.createElement("input")
    Object.assign(input, { type: "radio", name: "route", value: name })
    input.addEventListener("change", () => choose(name))
    choice.append(input, element("span", "", name))
    find("routes").append(choice)
  }
  return (name) => {
    const route = ROUTE_CHOICES.find((choice) => choice.name === name)
    for (const input of document.querySelectorAll<HTMLInputElement>("[name=route]"))
      input.checked = input.value === name
    find("route-code").textContent = route?.code ?? ""
    find("route-says").textContent = route?.says ?? ""
  }
}
