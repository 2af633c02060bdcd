/** What a page of `test/contracts/binding-app.ts` records, and the entry that each binding starts. */
import { connect, type Connection, type Room } from "../../src/client/index.ts"
import type { OnlineSnapshot } from "../../src/client/held-online.ts"
import type { Meta, Shown, TestPage } from "../contracts/binding-app.ts"

/** What the components of a page write, which it offers to tests. */
export interface Recorder {
  readonly renders: TestPage["renders"]
  readonly history: TestPage["history"]
  readonly friends: TestPage["friends"]
  readonly cursors: TestPage["cursors"]
  readonly errors: TestPage["errors"]
  /** The connection for the provider, if the page makes it. */
  connection?: Connection
  update?: Room<Meta>["update"]
  broadcast?: Room<Meta>["broadcast"]
  show(shown: Partial<Shown>): void
  mutate(patch: Partial<Meta>): void
}

export const createRecorder = (): Recorder => ({
  renders: {},
  history: [],
  friends: [],
  cursors: [],
  errors: [],
  show: () => {},
  mutate: () => {},
})

/** What a provider gets: the connection of the page, or what is needed to make one. */
export const providerProps = ({ connection }: Recorder, user: string) =>
  connection ? { connection } : { url: "/socket", options: { params: { user } } }

export function count({ renders }: Recorder, name: string): void {
  renders[name] = (renders[name] ?? 0) + 1
}

/** Writes down what the first panel shows, unless it is what it has shown before. */
export function remember({ history }: Recorder, keys: readonly string[]): void {
  const text = keys.join(" ")
  if (history.at(-1) !== text) history.push(text)
}

/** The text of `.friends`: the status of the question, why it is not live, and the status of each key that is known. */
export function friendsText(online: OnlineSnapshot): string {
  return [online.status, online.reason?.code, ...online].flat().filter(Boolean).join(" ")
}

/** Writes down what `.friends` shows, unless it is what it has shown before. */
export function rememberFriends({ friends }: Recorder, text: string): void {
  if (friends.at(-1) !== text) friends.push(text)
}

/** Counts the listeners on the rooms of a connection from now on. */
function countListeners(connection: Connection): () => number {
  let listeners = 0
  const counted =
    (add: (...args: unknown[]) => () => void) =>
    (...args: unknown[]) => {
      const undo = add(...args)
      listeners++
      let isOver = false
      return () => {
        if (!isOver) listeners--
        isOver = true
        undo()
      }
    }
  const { room } = connection
  connection.room = (...args: Parameters<typeof room>) =>
    new Proxy(room(...args), {
      get(room, name) {
        const value = Reflect.get(room, name) as never
        if (["subscribe", "onChange", "onError", "on"].includes(String(name))) return counted(value)
        if (name !== "user") return value
        return (key: string) => ({ ...room.user(key), subscribe: counted(room.user(key).subscribe as never) })
      },
    })
  return () => listeners
}

/**
 * Starts a page: shows the application in `#app`.
 *
 * @param start renders the application, or takes over what a server has rendered
 */
export function startPage(
  start: (element: Element, first: Shown, recorder: Recorder, isRendered: boolean) => void,
): void {
  const element = document.querySelector("#app")!
  const first = JSON.parse(document.querySelector("#shown")!.textContent) as Shown
  const recorder = createRecorder()
  if (first.isGiven) recorder.connection = connect("/socket", { params: { user: first.user } })
  const listeners = recorder.connection ? countListeners(recorder.connection) : () => Number.NaN
  globalThis.page = {
    renders: recorder.renders,
    history: recorder.history,
    friends: recorder.friends,
    cursors: recorder.cursors,
    errors: recorder.errors,
    show: (shown) => recorder.show(shown),
    update: (patch) => recorder.update!(patch),
    broadcast: (event, payload) => recorder.broadcast!(event, payload),
    mutate: (patch) => recorder.mutate(patch),
    listeners,
  }
  start(element, first, recorder, element.hasChildNodes())
}
