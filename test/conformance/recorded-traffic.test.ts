import { afterEach, describe, expect, it } from "vitest"
import type { ServerOptions } from "../../src/server/index.ts"
import { differences, withDifferences } from "./differences.ts"
import { Matching } from "./matching.ts"
import { Player } from "./player.ts"
import type { Got } from "./player.ts"
import { FOLDER, recordings } from "./recording.ts"
import type { Recording, Step } from "./recording.ts"
import { messagesOf, observationOfRecorded } from "./observation.ts"
import type { Observation } from "./observation.ts"
import { partsOf, Views } from "./presence-view.ts"

// The recordings are of a real Phoenix 1.8 server, whose frames are the specification. Phoenix does not specify two
// things,
// and this test accepts any result for them. The first is the order of presence_diff and presence_state right after a
// join.
// The second is the order of the actions when several clients act at once, which is a race. The frames of presence then
// depend on it, so only the final presence lists are compared, and all other frames.

describe("the recorded traffic of a Phoenix server", () => {
  let player: Player | undefined
  afterEach(() => player?.stop())

  const run = async (recording: Recording, options: ServerOptions, compare: Compare): Promise<string[]> => {
    player = new Player(options)
    await player.start()
    const [matching, theirs, ours] = [new Matching(), new Map<string, Views>(), new Map<string, Views>()]
    const problems: string[] = []
    for (const step of withDifferences(recording).steps) {
      const expected = recorded(step)
      const got = await player.play(step, (got) => compare.enough(expected, got, isRace(step)))
      see(expected, theirs)
      see(got, ours)
      const found = compare.problems(expected, got, matching, isRace(step))
      for (const [conn, views] of theirs) {
        const difference = matching.difference(views.summary(), ours.get(conn)?.summary())
        if (difference !== undefined) found.push(`${conn} sees ${difference}`)
      }
      learnTokens(player, expected, matching)
      problems.push(...found.map((problem) => `after ${JSON.stringify(step.actions)?.slice(0, 300)}: ${problem}`))
      if (found.length > 0) break
    }
    return problems
  }

  describe("is reproduced frame by frame, with one diff for each operation", () => {
    it.each(recordings())("$name", async (recording) => {
      expect(await run(recording, { presenceWindowMs: false }, frameByFrame)).toEqual([])
    })
  })

  describe("leads to the same presence lists when diffs are folded", () => {
    it.each(recordings())("$name", async (recording) => {
      expect(await run(recording, {}, byView)).toEqual([])
    })
  })

  it.each(differences)("differs in $scenario: $why", ({ scenario, change }) => {
    const recording = recordings(FOLDER).find(({ name }) => name === scenario) as Recording
    const changed = recording.steps.flatMap(({ actions, answers }) =>
      answers.filter((answer) => {
        const frames = change(answer, actions)
        return frames !== undefined && JSON.stringify(frames) !== JSON.stringify([answer.frame])
      }),
    )
    expect(changed).not.toEqual([])
  })
})

interface Compare {
  enough(expected: Got, got: ReadonlyMap<string, readonly Observation[]>, race: boolean): boolean
  problems(expected: Got, got: Got, matching: Matching, race: boolean): string[]
}

const frameByFrame: Compare = {
  enough: (expected, got, race) =>
    race ? byView.enough(expected, got, race) : came(expected, got, (observations) => observations),
  problems(expected, got, matching, race) {
    const order = race ? withoutPresence : settled
    return mismatches(expected, got, matching, order)
  },
}

const byView: Compare = {
  enough: (expected, got) => came(expected, got, withoutPresence),
  problems: (expected, got, matching) => mismatches(expected, got, matching, withoutPresence),
}

type Pick = (observations: readonly Observation[]) => readonly Observation[]

function came(expected: Got, got: ReadonlyMap<string, readonly Observation[]>, pick: Pick): boolean {
  return [...expected].every(([conn, observations]) => pick(got.get(conn) ?? []).length >= pick(observations).length)
}

function mismatches(expected: Got, got: Got, matching: Matching, order: Pick): string[] {
  return [...new Set([...expected.keys(), ...got.keys()])].flatMap((conn) => {
    const [theirs, ours] = [expected, got].map((side) => order(side.get(conn) ?? []))
    const found = matching.difference(theirs, ours)
    return found === undefined ? [] : [`${conn}${found}`]
  })
}

const isState = (message: unknown): boolean => partsOf(message).event === "presence_state"
const isOther = (message: unknown): boolean => !partsOf(message).event.startsWith("presence_")

function statesLast(messages: readonly unknown[]): unknown[] {
  return [...messages.filter((message) => !isState(message)), ...messages.filter((message) => isState(message))]
}

/** Moves each presence_state behind the other messages. */
function settled(observations: readonly Observation[]): Observation[] {
  const messages = observations.filter((observation) => observation.kind === "message")
  const sorted = statesLast(messages.map(({ message }) => message))
  return observations.map((observation) => {
    if (observation.kind === "message") return { kind: "message", message: sorted.shift() }
    return withMessages(observation, statesLast(messagesOf(observation)))
  })
}

function withoutPresence(observations: readonly Observation[]): Observation[] {
  return observations
    .filter((observation) => observation.kind !== "message" || isOther(observation.message))
    .map((observation) =>
      withMessages(
        observation,
        messagesOf(observation).filter((message) => isOther(message)),
      ),
    )
}

function withMessages(observation: Observation, messages: unknown[]): Observation {
  if (observation.kind !== "http" || messagesOf(observation).length === 0) return observation
  return { ...observation, body: { ...(observation.body as object), messages } }
}

function recorded(step: Step): Got {
  const got: Got = new Map()
  for (const { conn, frame } of step.answers) got.set(conn, [...(got.get(conn) ?? []), observationOfRecorded(frame)])
  return got
}

/** Returns whether several clients act at once in a step, so that their order is a race. */
function isRace(step: Step): boolean {
  return new Set(step.actions.map(({ conn }) => conn)).size > 1
}

function see(got: Got, clients: Map<string, Views>): void {
  for (const [conn, observations] of got) {
    const views = clients.get(conn) ?? new Views()
    clients.set(conn, views)
    for (const message of observations.flatMap((observation) => messagesOf(observation))) views.take(message)
  }
}

/** Pairs the recorded tokens with ours, because later requests in the recording contain recorded tokens. */
function learnTokens(player: Player, expected: Got, matching: Matching): void {
  for (const observation of [...expected.values()].flat()) {
    const token = observation.kind === "http" ? (observation.body as { token?: string } | null)?.token : undefined
    const ours = token === undefined ? undefined : matching.ours(token)
    if (token !== undefined && ours !== undefined) player.learnToken(token, ours)
  }
}
