import { element } from "../element.js"
import { SITES, SLOW_WORKER } from "./messages.js"
import type { WorkerState } from "./messages.js"
import { numberOf } from "./sentences.js"

type Command = "start" | "kill" | "drain"

/** How much of a site's weight is left after each report: it fades within a few seconds. */
const FADING = 0.9
/** The weight of a site whose pages are all fetched by one worker, at 40 jobs a second. */
const FULL_WEIGHT = 6
const SHOWN_PENDING = 24

const stateTexts: Record<WorkerState, string> = {
  starting: "starting",
  up: "up",
  draining: "draining",
  drained: "drained",
  killed: "killed",
}

/** Shows one worker. */
export interface WorkerCard {
  readonly element: HTMLElement
  /** The list for the tiles of its games. */
  readonly games: HTMLElement
  show(state: WorkerState, pid: number): void
  /** @param jobs the number of jobs that it has done in the latest second */
  showRate(jobs: number): void
  showPending(jobs: number): void
  /** Counts a job. @param site an index of `SITES` */
  addSite(site: number): void
  showSites(): void
}

export function createWorkerCard(number: number, command: (name: Command) => void): WorkerCard {
  const card = element("li", "card worker")
  card.dataset["number"] = String(number)
  const title = element("h3", "", `Worker ${number}`)
  const swatch = element("span", "swatch", String(number))
  swatch.ariaHidden = "true"
  const state = element("p", "state")
  const dot = element("span", "dot")
  const stateText = element("span", "")
  state.append(dot, stateText)
  const first = buttonOf("plain", () => command(first.dataset["command"] as Command))
  const kill = buttonOf("plain kill", () => command("kill"))
  const buttons = element("div", "buttons")
  buttons.append(first, kill)
  const head = element("div", "worker-head")
  const name = element("div", "worker-name")
  name.append(swatch, title)
  if (number === SLOW_WORKER) name.append(element("span", "slow", "slow machine: a job takes five times as long"))
  head.append(name, state, buttons)

  const rate = element("span", "rate")
  const pending = element("span", "pending")
  const queue = element("span", "queue")
  queue.ariaHidden = "true"
  const jobs = fact("Jobs", rate, pending, queue)
  const sites = element("div", "sites")
  sites.role = "img"
  const cells = SITES.map((site) => element("span", "site", site.charAt(0).toUpperCase()))
  sites.append(...cells)
  const games = element("ul", "games")
  games.role = "list"
  games.ariaLabel = `Games on worker ${number}`
  const work = element("div", "work")
  work.append(jobs, fact("Sites", sites))
  card.append(head, work, fact("Games", games))

  const weights = SITES.map(() => 0)
  let sitesText: string | undefined
  let shown: WorkerState | undefined

  function show(now: WorkerState, pid: number): void {
    card.dataset["state"] = now
    const isRunning = now === "up" || now === "draining"
    stateText.textContent = isRunning ? `${stateTexts[now]} · process ${pid}` : stateTexts[now]
    dot.dataset["is"] = now === "up" ? "live" : now === "killed" ? "busy" : now === "drained" ? "" : "away"
    const hasEnded = now === "drained" || now === "killed"
    label(first, hasEnded ? "start" : "drain", now === "up" || hasEnded)
    label(kill, "kill", isRunning)
    // A worker that starts anew has a process of its own.
    if (now !== shown && hasEnded) weights.fill(0)
    shown = now
  }

  function label(button: HTMLElement, name: Command, isEnabled: boolean): void {
    button.dataset["command"] = name
    button.textContent = name === "start" ? "Start" : name === "kill" ? "Kill" : "Drain"
    button.ariaLabel = `${button.textContent} worker ${number}`
    // `ariaDisabled` instead of `disabled`, which would remove the focus after a press by keyboard.
    button.ariaDisabled = String(!isEnabled)
  }

  show("starting", 0)
  const self: WorkerCard = {
    element: card,
    games,
    show,
    showRate(count) {
      rate.textContent = `${count} a second`
    },
    showPending(count) {
      pending.textContent = count === 0 ? "" : `${count} pending`
      const dots = Math.min(count, SHOWN_PENDING)
      while (queue.childElementCount > dots) queue.lastElementChild?.remove()
      while (queue.childElementCount < dots) queue.append(element("i", ""))
    },
    addSite(site) {
      weights[site] = (weights[site] ?? 0) + 1
    },
    showSites() {
      const named: string[] = []
      for (const [site, cell] of cells.entries()) {
        const weight = (weights[site] ?? 0) * FADING
        weights[site] = weight
        const share = Math.min(1, weight / FULL_WEIGHT)
        cell.style.setProperty("--share", share.toFixed(2))
        cell.classList.toggle("fetched", share >= 0.15)
        if (share >= 0.15) named.push(SITES[site] ?? "")
      }
      const text = named.length === 0 ? "no site" : `${numberOf(named.length, "site")}: ${named.join(", ")}`
      if (text !== sitesText) sites.ariaLabel = sitesText = text
    },
  }
  self.showRate(0)
  self.showSites()
  return self
}

function fact(name: string, ...values: HTMLElement[]): HTMLElement {
  const row = element("div", "fact")
  const value = element("div", "value")
  value.append(...values)
  row.append(element("span", "fact-name", name), value)
  return row
}

function buttonOf(className: string, pressed: () => void): HTMLButtonElement {
  const button = element("button", className) as HTMLButtonElement
  button.type = "button"
  button.addEventListener("click", () => {
    if (button.ariaDisabled !== "true") pressed()
  })
  return button
}
