/** What a page of `test/contracts/binding-app.ts` records, and the entry that each binding starts. */
import type { Room } from "../../src/client/index.ts"
import type { Meta, Shown, TestPage } from "../contracts/binding-app.ts"

/** What the components of a page write, which it offers to tests. */
export interface Recorder {
  readonly renders: TestPage["renders"]
  readonly history: TestPage["history"]
  readonly cursors: TestPage["cursors"]
  readonly errors: TestPage["errors"]
  update?: Room<Meta>["update"]
  broadcast?: Room<Meta>["broadcast"]
  show(shown: Partial<Shown>): void
}

export const createRecorder = (): Recorder => ({ renders: {}, history: [], cursors: [], errors: [], show: () => {} })

export function count({ renders }: Recorder, name: string): void {
  renders[name] = (renders[name] ?? 0) + 1
}

/** Writes down what the first panel shows, unless it is what it has shown before. */
export function remember({ history }: Recorder, keys: readonly string[]): void {
  const text = keys.join(" ")
  if (history.at(-1) !== text) history.push(text)
}

/**
 * Starts a page: shows the application in `#app`.
 *
 * @param start renders the application, or takes over what a server has rendered
 */
export function startPage(start: (element: Element, first: Shown, recorder: Recorder, isRendered: boolean) => void): void {
  const recorder = createRecorder()
  globalThis.page = {
    renders: recorder.renders,
    history: recorder.history,
    cursors: recorder.cursors,
    errors: recorder.errors,
    show: (shown) => recorder.show(shown),
    update: (patch) => recorder.update!(patch),
    broadcast: (event, payload) => recorder.broadcast!(event, payload),
  }
  const element = document.querySelector("#app")!
  const first = JSON.parse(document.querySelector("#shown")!.textContent) as Shown
  start(element, first, recorder, element.hasChildNodes())
}
