import { element, find } from "../element.js"
import { showNavigation } from "../navigation.js"
import type { Action } from "./actions.js"
import { agreementOf } from "./agreement.js"
import { createControls } from "./controls.js"
import { fewCalls } from "./few-calls.js"
import { keyedList, setText } from "./keyed-list.js"
import { readLink, writeLink } from "./link.js"
import type { Link } from "./link.js"
import { createMessageList, seconds } from "./message-list.js"
import { createNetworkPicture } from "./network-picture.js"
import { createNodeCard } from "./node-card.js"
import type { CardContext } from "./node-card.js"
import { Player } from "./player.js"
import type { Line } from "./cluster.js"
import { createStory, linkAfter } from "./story.js"

/** How often the page moves on, for those who want no motion. */
const CALM_MS = 250

const calm = matchMedia("(prefers-reduced-motion: reduce)")
let player: Player | undefined
/** Which opening is the latest: a link that is followed while another one is opened wins. */
let opening = 0
/** Whether the picture still moves, although no time passes in the cluster. */
let isMoving = false

showNavigation()
const showStory = createStory()
const showControls = createControls(act)
const messages = createMessageList(act)
const picture = createNetworkPicture(find("network"), (id) => messages.choose(id))
const showCards = keyedList<CardContext & { readonly name: string }>(
  find("nodes"),
  ({ name }) => name,
  ({ name }) => createNodeCard(name, act),
)
const showLines = keyedList<Line & { readonly key: string }>(
  find("feed"),
  ({ key }) => key,
  ({ at, text }) => {
    const root = element("li", "")
    root.append(element("time", "", seconds(at)), element("span", "", text))
    return { root, update: () => {} }
  },
)

/** Does what a visitor wants, and shows what came of it. */
function run(does: (player: Player) => Promise<void> | void): void {
  if (player === undefined) return
  Promise.resolve(does(player))
    .then(() => {
      writeAddress()
      show()
    })
    .catch(report)
}

/** Says what has gone wrong: the run cannot go on. */
function report(error: unknown): void {
  setText(find("note"), `This run has come to its end: ${(error as Error).message}. “Start again” begins anew.`)
  player?.close()
}

function act(action: Action): void {
  run((player) => player.act(action))
}

function show(): void {
  if (player === undefined) return
  const { cluster, scene, isRunning } = player
  const { agrees, text } = agreementOf(cluster)
  find("now").dataset["agrees"] = String(agrees)
  setText(find("happened"), cluster.lines[0]?.text ?? "Three nodes run, and nobody is here yet.")
  setText(find("agreement"), text)
  setText(find("clock"), seconds(cluster.now))
  setText(find("run"), isRunning ? "Stop time" : "Let time run")
  find("run").setAttribute("aria-pressed", String(isRunning))
  showStory(player)
  showControls(cluster)
  showCards(cluster.nodes.map(({ name }) => ({ name, cluster, shows: scene?.shows })))
  isMoving = picture.update(cluster, 0)
  messages.update(cluster)
  const count = cluster.lineCount
  showLines(cluster.lines.map((line, index) => ({ ...line, key: String(count - index) })))
}

/** Writes the link to what is shown into the address, while nothing moves: browsers allow only a few changes a second. */
const writeAddress = fewCalls(() => {
  if (player === undefined || player.isRunning) return
  const hash = writeLink(player.link)
  if (location.hash !== hash) history.replaceState(undefined, "", hash)
})

/** Opens what a link shows. */
function go(link: Link): void {
  // As if the link had been followed: the way back leads to what was shown before.
  history.pushState(undefined, "", writeLink(link))
  void open()
}

async function open(): Promise<void> {
  const number = (opening += 1)
  setText(find("note"), "")
  let next: Player
  try {
    next = await Player.open(readLink(location.hash))
  } catch (error) {
    setText(find("note"), `This link cannot be shown: ${(error as Error).message}. Below is the first scene.`)
    next = await Player.open(readLink(""))
  }
  if (number !== opening) return next.close()
  player?.close()
  player = next
  next.speed = Number(find<HTMLSelectElement>("speed").value)
  find<HTMLInputElement>("seed").value = String(next.cluster.seed)
  show()
  // Until now, all but the introduction was hidden: nothing moves when it appears.
  find("cluster").removeAttribute("aria-busy")
}

let last = performance.now()
async function tick(): Promise<void> {
  const now = performance.now()
  const ms = now - last
  last = now
  const moved = await player?.tick(ms).catch((error: unknown) => {
    report(error)
    return "nothing" as const
  })
  if (moved === "ended") writeAddress()
  if (moved !== "nothing") show()
  if (player !== undefined && (isMoving || moved !== "nothing"))
    isMoving = picture.update(player.cluster, Math.min(ms, 50))
  if (calm.matches) setTimeout(() => void tick(), CALM_MS)
  else requestAnimationFrame(() => void tick())
}

find("next").addEventListener("click", () => {
  if (player?.scene === undefined || !player.hasEnded) {
    // On a phone the stage is below the story.
    const stage = find("stage")
    const isBelow = stage.getBoundingClientRect().top > innerHeight / 2
    if (isBelow) stage.scrollIntoView({ behavior: calm.matches ? "auto" : "smooth" })
    return run((player) => player.next(calm.matches))
  }
  go(linkAfter(player.scene))
  find("scene-title").focus()
})
find("again").addEventListener("click", () => {
  const seed = player?.cluster.seed ?? 1
  const link = player?.scene === undefined ? { seed, actions: [] } : { scene: player.scene.id, step: 0 }
  go(link)
})
find("run").addEventListener("click", () => run((player) => player.setRunning(!player.isRunning)))
find("message").addEventListener("click", () => run((player) => player.nextMessage()))
find<HTMLSelectElement>("speed").addEventListener("change", ({ target }) => {
  if (player !== undefined) player.speed = Number((target as HTMLSelectElement).value)
})
find("new-run").addEventListener("submit", (event) => {
  event.preventDefault()
  go({ seed: Number(find<HTMLInputElement>("seed").value), actions: [] })
})
find("copy").addEventListener("click", () => {
  if (player === undefined) return
  const link = writeLink(player.link)
  try {
    readLink(link)
  } catch {
    return setText(find("note"), "This run is too long for a link. A link shows up to an hour, and 5000 things done.")
  }
  const url = new URL(link, location.href).href
  const copied = (): void => setText(find("note"), "The link is copied. It shows exactly this run.")
  const failed = (): void => setText(find("note"), `Copy it from here: ${url}`)
  // A page without https has no clipboard.
  if (navigator.clipboard === undefined) failed()
  else navigator.clipboard.writeText(url).then(copied, failed)
})
// Both a link that is followed, and the browser's way back.
addEventListener("popstate", () => void open())
new ResizeObserver(show).observe(find("network"))
void open().then(tick)
