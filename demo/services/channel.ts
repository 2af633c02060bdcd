import type { Server } from "rollcall/server"
import { TOPIC, WORKERS } from "./messages.js"
import type { Meta } from "./messages.js"
import { isRouteName } from "./route-choices.js"
import { startStage } from "./stage.js"
import type { Stage } from "./stage.js"

/** The time between two commands of all pages, in ms. */
const COMMAND_MS = 300

/**
 * Serves the topic of the services page. What is, such as the state of a worker, is a presence; what happens, such as the
 * jobs that were done, is a broadcast. The processes are started when the first page joins.
 *
 * @param lingerMs how long the processes go on after the last page has left: one that is loaded again finds them as they were
 */
export function serveServices(server: Pick<Server, "channel" | "broadcast" | "presence">, lingerMs = 20_000): void {
  let stage: Stage | undefined
  let pages = 0
  let stopping: NodeJS.Timeout | undefined
  let nextCommand = 0
  const shown = new Map<string, { update(meta: Meta): void; end(): void }>()

  function show(key: string, meta: Meta): void {
    const presence = shown.get(key)
    if (presence === undefined) shown.set(key, server.presence.track({ topic: TOPIC, key, meta }))
    else presence.update(meta)
  }

  function start(): Stage {
    return startStage({
      show,
      ticked: (tick) => server.broadcast(TOPIC, "tick", tick),
      secondEnded: (second) => server.broadcast(TOPIC, "second", second),
      said: (line) => server.broadcast(TOPIC, "line", line),
    })
  }

  function stop(): void {
    stage?.stop()
    stage = undefined
    for (const presence of shown.values()) presence.end()
    shown.clear()
  }

  /** Returns a handler that runs a command, unless another one has just come. */
  const command =
    <Argument>(read: (value: unknown) => Argument | undefined, run: (on: Stage, argument: Argument) => void) =>
    (payload: unknown): { ok: object } | { error: { reason: string } } => {
      const argument = read((payload as { argument?: unknown }).argument)
      if (argument === undefined) return { error: { reason: "expected a worker from 1 to 4, or a route of the list" } }
      const now = performance.now()
      if (now < nextCommand) return { error: { reason: "One thing at a time: try again." } }
      nextCommand = now + COMMAND_MS
      if (stage !== undefined) run(stage, argument)
      return { ok: {} }
    }
  const worker = (value: unknown): number | undefined => WORKERS.find((number) => number === value)
  const route = (value: unknown) => (isRouteName(value) ? value : undefined)

  server.channel(TOPIC, {
    join: () => ({ ok: {} }),
    // A page only watches. It gets the presences of the workers and the games.
    presence: () => undefined,
    joined(channel) {
      pages += 1
      clearTimeout(stopping)
      stage ??= start()
      channel.push("history", stage.history)
    },
    left() {
      pages -= 1
      if (pages === 0) stopping = setTimeout(stop, lingerMs).unref()
    },
    on: {
      start: command(worker, (on, number) => on.start(number)),
      kill: command(worker, (on, number) => on.kill(number)),
      drain: command(worker, (on, number) => on.drain(number)),
      route: command(route, (on, name) => on.route(name)),
    },
  })
}
