import type { Cluster } from "./cluster.js"
import type { Flight } from "./flight.js"
import { labelOf } from "./sentences.js"
import { svg } from "../services/svg.js"

const HEIGHT = 172
/** Where the nodes are, from the top. */
const BASE = 138
const RADIUS = 24
/** The way there and the way back are so far apart, in px. */
const LANE = 18
/** How long a message that was lost takes to fade, in ms of real time, as all of the following. */
const LOST_MS = 1_100
/** Where a message is lost at the latest, as a share of its way. */
const LOST_AT = 0.6
/** How long a message takes at least from node to node: one that arrives at once is still seen. */
const FLIGHT_MS = 650
/** The least distance of two messages on one way, and of the last one from its node, as a share of the way. */
const GAP = 0.19

interface Point {
  readonly x: number
  readonly y: number
}

interface Pill {
  readonly flight: Flight
  readonly group: SVGGElement
  /** A sign of life, which is drawn as a point. */
  readonly isAlive: boolean
  /** Where it is drawn, from 0 to 1. */
  part: number
  lostFor: number
}

/** The nodes, the lines between them, and the messages on their way. */
export interface NetworkPicture {
  /** Shows a cluster `ms` of real time later. Returns whether something still moves, although no virtual time passes. */
  update(cluster: Cluster, ms: number): boolean
}

/** @param choose called with the number of a message that was clicked; the list of messages has the same as buttons */
export function createNetworkPicture(parent: HTMLElement, choose: (id: number) => void): NetworkPicture {
  const calm = matchMedia("(prefers-reduced-motion: reduce)")
  const picture = svg("svg", { class: "picture", height: HEIGHT, "aria-hidden": "true" })
  const lines = svg("g")
  const discs = svg("g")
  const pills = svg("g")
  picture.append(lines, discs, pills)
  parent.append(picture)
  const pillsById = new Map<number, Pill>()
  let current: Cluster | undefined
  /** The number of the latest message that was drawn. */
  let latest = 0
  let drawn = ""

  function drawNodes(cluster: Cluster, width: number): void {
    const isCut = (from: string, to: string): boolean => cluster.cut.includes(from) !== cluster.cut.includes(to)
    const key = JSON.stringify([width, cluster.cut, cluster.nodes.map(({ isUp, shown }) => [isUp, shown.length])])
    if (key === drawn) return
    drawn = key
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`)
    const names = cluster.nodes.map(({ name }) => name)
    lines.replaceChildren(
      ...names.flatMap((from, a) =>
        names.flatMap((to, b) => {
          if (a === b) return []
          return svg("path", { class: isCut(from, to) ? "link link-cut" : "link", d: pathOf(a, b, width) })
        }),
      ),
    )
    discs.replaceChildren(
      ...cluster.nodes.map(({ name, isUp, shown }, index) => {
        const { x, y } = placeOf(index, width)
        const group = svg("g", { class: isUp ? "disc" : "disc disc-down", "data-from": name })
        group.append(
          svg("circle", { cx: x, cy: y, r: RADIUS }),
          svg("text", { x, y: y + 6, class: "disc-count" }, isUp ? String(shown.length) : "×"),
        )
        return group
      }),
    )
  }

  function createPill(flight: Flight): Pill {
    const { message, read } = flight
    const label = labelOf(read)
    const isAlive = label === "alive"
    const kind = read?.type === "heartbeat" ? (isAlive ? "alive" : "news") : "talk"
    const group = svg("g", { class: `pill pill-${kind}`, "data-from": message.from })
    const width = label.length * 7 + 16
    if (isAlive) group.append(svg("circle", { r: 4.5 }))
    else {
      group.append(
        svg("rect", { x: -width / 2, y: -11, width, height: 22, rx: 11 }),
        svg("text", { y: 4, class: "pill-text" }, label),
      )
    }
    group.addEventListener("click", () => choose(message.id))
    pills.append(group)
    return { flight, group, isAlive, part: 0, lostFor: 0 }
  }

  /** Moves the messages. Real time, so that also a message that arrives at once is seen. */
  function movePills(cluster: Cluster, width: number, ms: number): void {
    const index = new Map(cluster.nodes.map(({ name }, index) => [name, index]))
    for (const flight of cluster.flights.underway) add(flight)
    for (const flight of cluster.flights.ended) if (flight.message.id > latest) add(flight)
    latest = Math.max(latest, ...pillsById.keys())
    /** The place of the message before, on each way. */
    const places = new Map<string, number>()
    // The newest first: those before it keep their distance.
    for (const [id, pill] of [...pillsById].sort(([a], [b]) => b - a)) {
      const { message } = pill.flight
      const way = `${message.from} ${message.to}`
      const isLost = message.state === "lost"
      const last = places.get(way) ?? 0
      let goal = Math.max(placeOnWay(cluster.now, pill.flight), pill.isAlive ? 0 : Math.min(0.9, last + GAP))
      if (isLost) goal = Math.max(pill.part, LOST_AT)
      pill.part = Math.min(goal, pill.part + ms / FLIGHT_MS)
      if (!pill.isAlive && message.state === "underway") places.set(way, pill.part)
      if (isLost && pill.part === goal) pill.lostFor += ms
      if ((message.state === "arrived" && pill.part >= 1) || pill.lostFor > LOST_MS) {
        pill.group.remove()
        pillsById.delete(id)
        continue
      }
      const fall = pill.lostFor / LOST_MS
      const { x, y } = pointOf(index.get(message.from) ?? 0, index.get(message.to) ?? 0, width, pill.part)
      pill.group.classList.toggle("pill-lost", isLost)
      pill.group.setAttribute("transform", `translate(${x.toFixed(1)} ${(y + fall * 30).toFixed(1)})`)
      pill.group.setAttribute("opacity", (1 - fall).toFixed(2))
    }
  }

  function add(flight: Flight): void {
    if (!pillsById.has(flight.message.id)) pillsById.set(flight.message.id, createPill(flight))
  }

  /** Forgets the messages of the cluster before. */
  function clear(): void {
    pills.replaceChildren()
    pillsById.clear()
    latest = 0
  }

  return {
    update(cluster, ms) {
      const width = parent.clientWidth
      if (width === 0) return false
      if (cluster !== current) {
        clear()
        current = cluster
        latest = Math.max(0, ...cluster.flights.ended.map(({ message }) => message.id))
      }
      drawNodes(cluster, width)
      if (calm.matches) clear()
      else movePills(cluster, width, ms)
      return [...pillsById.values()].some(({ flight, part }) => flight.message.state !== "underway" || part < GAP)
    },
  }
}

/** How far a message has come, as a share of its way. */
function placeOnWay(now: number, { message }: Flight): number {
  if (message.state !== "underway" || message.arrivesAt === undefined) return 1
  return Math.min(1, (now - message.sentAt) / (message.arrivesAt - message.sentAt || 1))
}

function placeOf(index: number, width: number): Point {
  return { x: (width / 3) * (index + 0.5), y: BASE }
}

/** The bend of the way from one node to another: higher for those far apart, and each direction has a lane of its own. */
function bendOf(from: number, to: number, width: number): Point {
  const [a, b] = [placeOf(from, width), placeOf(to, width)]
  const height = Math.abs(from - to) > 1 ? 242 : 116
  return { x: (a.x + b.x) / 2, y: BASE - height - (from < to ? LANE : -LANE) }
}

function pathOf(from: number, to: number, width: number): string {
  const [a, bend, b] = [placeOf(from, width), bendOf(from, to, width), placeOf(to, width)]
  return `M${a.x} ${a.y}Q${bend.x} ${bend.y} ${b.x} ${b.y}`
}

function pointOf(from: number, to: number, width: number, part: number): Point {
  const [a, bend, b] = [placeOf(from, width), bendOf(from, to, width), placeOf(to, width)]
  const at = (one: number, two: number, three: number): number =>
    (1 - part) ** 2 * one + 2 * (1 - part) * part * two + part ** 2 * three
  return { x: at(a.x, bend.x, b.x), y: at(a.y, bend.y, b.y) }
}
