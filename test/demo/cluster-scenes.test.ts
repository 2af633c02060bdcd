/** The cluster page's scenes, without a browser: the states that they claim, and that a link repeats a run. */
import { afterEach, describe, expect, test } from "vitest"
import { readActions, writeActions } from "../../demo/cluster/actions.ts"
import type { Action } from "../../demo/cluster/actions.ts"
import { agreementOf } from "../../demo/cluster/agreement.ts"
import { Cluster } from "../../demo/cluster/cluster.ts"
import { contextOf, SCENES, shownBy } from "../../demo/cluster/scenes.ts"
import { mulberry32 } from "../../src/testing/prng.ts"

const clusters: Cluster[] = []
afterEach(() => {
  for (const cluster of clusters.splice(0)) cluster.close()
})

async function start(seed: number, actions: readonly Action[] | string = []): Promise<Cluster> {
  const cluster = await Cluster.start(seed)
  clusters.push(cluster)
  for (const action of typeof actions === "string" ? readActions(actions) : actions) await cluster.act(action)
  return cluster
}

/** Everything that a visitor can see of a run. */
const picture = (cluster: Cluster): unknown => ({
  now: cluster.now,
  agreement: agreementOf(cluster).text,
  lines: cluster.lines,
  nodes: cluster.nodes.map(({ name, seen, shown, watcher, people }) => ({
    context: contextOf(cluster, name),
    refs: seen.map(({ ref, status }) => `${ref} ${status}`),
    shown,
    received: [watcher, ...people].map(({ name, received, shows }) => ({ name, received, shows })),
  })),
  underway: cluster.flights.underway.map(({ message: { id, from, to, arrivesAt } }) => ({ id, from, to, arrivesAt })),
  beside: cluster.beside,
})

describe.each(SCENES)("$title", ({ seed, steps, holds }) => {
  const actions = steps.flatMap((step) => step.actions)

  test("ends in the state that it claims, and in no earlier step", async () => {
    const cluster = await start(seed)
    for (const [index, step] of steps.entries()) {
      for (const action of step.actions) await cluster.act(action)
      if (index < steps.length - 1) expect([index, holds(cluster)]).toEqual([index, false])
    }
    expect(holds(cluster)).toBe(true)
    expect(agreementOf(cluster).agrees).toBe(true)
    // Each page shows what its node shows.
    for (const { isUp, shown, watcher, people } of cluster.nodes) {
      const keys = shown.map(({ key }) => key).sort()
      if (isUp) for (const page of [watcher, ...people]) expect([...page.shows].sort()).toEqual(keys)
    }
  })

  test("is the same run again from its link, also when its waits are cut into small steps", async () => {
    const cluster = await start(seed, actions)
    const link = writeActions(cluster.actions)
    expect(picture(await start(seed, link))).toEqual(picture(cluster))
    const small = await start(seed)
    for (const action of actions) {
      let left = action.do === "wait" ? action.ms : 0
      if (left === 0) await small.act(action)
      for (; left > 0; left -= 37) await small.act({ do: "wait", ms: Math.min(37, left) })
    }
    expect(writeActions(small.actions)).toBe(link)
    expect(picture(small)).toEqual(picture(cluster))
  })
})

test("any run is the same again from its link, and agrees after the network is well and all nodes run", async () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    const random = mulberry32(seed)
    const among = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
    const actions: Action[] = readActions("loss:30;double:30;reorder:60;delay:1500")
    for (let n = 0; n < 25; n += 1) {
      const [node, name] = [among(["node1", "node2", "node3"]), among(["Ada", "Ben", "Cleo", "Dan"])]
      const kinds = ["add", "add", "add", "remove", "away", "crash", "restart", "split", "heal", "lose"] as const
      const kind = among(kinds)
      if (kind === "add" || kind === "remove" || kind === "away") actions.push({ do: kind, node, name })
      else if (kind === "split") actions.push({ do: "split", nodes: [node] })
      else if (kind === "heal") actions.push({ do: "heal" })
      else if (kind === "lose") actions.push({ do: "lose", which: `${node}>node2` })
      else actions.push({ do: kind, node })
      actions.push({ do: "wait", ms: Math.floor(random() * 2_000) })
    }
    actions.push(
      ...readActions("loss:0;double:0;reorder:0;delay:500;heal;restart:node1;restart:node2;restart:node3;wait:30000"),
    )
    const cluster = await start(seed, actions)
    expect({ seed, agreement: agreementOf(cluster) }).toMatchObject({ seed, agreement: { agrees: true } })
    expect(picture(await start(seed, writeActions(cluster.actions)))).toEqual(picture(cluster))
  }
})

test("a page receives each change once, and after its node has started anew the changes that the node has learned", async () => {
  const cluster = await start(
    1,
    "add:node1:Ada;wait:1100;add:node2:Ben;wait:1100;away:node2:Ben;wait:1100;remove:node2:Ben;wait:1100",
  )
  const receivedBy = (node: string): string[] =>
    cluster.node(node)!.watcher.received.map(({ kind, key }) => `${key} ${kind}`)
  const all = ["Ada joined", "Ben joined", "Ben changed", "Ben left"]
  expect(cluster.nodes.map(({ name }) => receivedBy(name))).toEqual([all, all, all])
  for (const action of readActions("crash:node3;wait:3000;restart:node3;wait:6000")) await cluster.act(action)
  expect(receivedBy("node3")).toEqual([...all, "Ada left", "Ada joined"])
  expect(receivedBy("node1")).toEqual(all)
})

test("actions that are not possible do nothing, and a broken link says what is wrong with it", async () => {
  const cluster = await start(
    1,
    "remove:node1:Nobody;crash:node9;restart:node1;away:node1:Nobody;add:node9:Ada;hurry:#999;wait:100",
  )
  expect(shownBy(cluster)).toBe(" |  | ")
  expect(cluster.lines.map(({ text }) => text)).toEqual([])
  for (const broken of ["dance:node1", "wait:-1", "wait:99999999", "loss:101", "add:node1", "delay:0", "wait:1;;"]) {
    expect(() => readActions(broken)).toThrow("expected an action such as")
  }
  expect(() => readActions("add:node1:%")).toThrow("expected an action such as")
})

test("somebody who is added to a node that is down appears when it runs again", async () => {
  const cluster = await start(1, "crash:node2;add:node2:Ada;wait:500")
  expect(agreementOf(cluster).text).toBe("All 2 nodes agree: nobody is here.")
  for (const action of readActions("restart:node2;wait:3000")) await cluster.act(action)
  expect(agreementOf(cluster).text).toBe("All 3 nodes agree: Ada is here.")
})

test("what differs between the nodes is said in words", async () => {
  const cluster = await start(
    1,
    "add:node1:Ada;add:node1:Ben;wait:1100;split:node1;remove:node1:Ada;away:node1:Ben;wait:200",
  )
  expect(agreementOf(cluster).text).toBe(
    "Not yet: node2 does not know Ben and still shows Ada and Ben as before; node3 does not know Ben and still shows Ada and Ben as before." +
      " While the network is cut, that must be so.",
  )
})
