/** What must compile, and what must not: checked by `tsc -p test/tsconfig.json`. */
import {
  connect,
  merged,
  Presence,
  Socket,
  syncDiff,
  syncState,
  groupBy,
  sortBy,
  type ChannelLike,
  type Entry,
  type PresenceState,
  type Snapshot,
  type View,
} from "../../src/client/index.ts"

interface Person {
  name: string
  status: "in" | "away"
}

/** Never called: these lines are for the compiler. */
export function rooms(): void {
  const room = connect("/socket", { params: { token: "t" } }).room<Person>("rooms:1")

  const names: readonly string[] = room.list((_key, { metas: [first] }) => first.name)
  const entries: readonly Entry<Person>[] = room.list()
  const status: "in" | "away" | undefined = room.get("ada")?.metas[0].status
  const reference: string | undefined = room.self?.metas[0].phx_ref
  const snapshot: Snapshot<Person> = room.getSnapshot()
  const leftAt: number | undefined = room.list()[0]?.leftAt
  const isLost: boolean = room.isLost
  room.update({ status: "away" })
  room.onChange((changes) => {
    for (const change of changes) {
      if (change.type === "join") change.current.metas[0].name.toUpperCase()
      if (change.type === "leave") change.previous.metas[0].name.toUpperCase()
      if (change.type === "update") change.previous.metas[0].name.concat(change.current.metas[0].name)
      // @ts-expect-error -- there is no current user after a leave
      if (change.type === "leave") void change.current.metas
      if (change.type === "leave") void change.current?.leftAt?.toFixed()
      if (change.type === "remove") void change.previous.leftAt?.toFixed()
    }
  })

  // @ts-expect-error -- a field that the room's users do not have
  room.list((_key, { metas: [first] }) => first.nickname)
  // @ts-expect-error -- a value that the field cannot have
  room.update({ status: "asleep" })
  // @ts-expect-error -- a field that the room's users do not have
  room.update({ nickname: "Ada" })
  const sent: Promise<void> = room.update({ status: undefined }, { forMs: 3000, chosen: true })
  room.update(({ status }) => ({ status: status === "in" ? "away" : "in" }))
  // @ts-expect-error -- a value that the field cannot have
  room.update(() => ({ status: "asleep" }))
  // @ts-expect-error -- an option that does not exist
  room.update({ status: "in" }, { forSeconds: 3 })
  const mine: "in" | "away" | undefined = merged(room.self).status
  // @ts-expect-error -- a field that the room's users do not have
  void merged(room.self).nickname
  // @ts-expect-error -- a view is read-only
  snapshot.users[0]!.metas[0].name = "Eve"
  // @ts-expect-error -- the view has no users to push to
  snapshot.users.push(entries[0]!)
  // @ts-expect-error -- status is one of four words
  if (room.status === "open") room.leave()

  void [names, status, reference, sent, mine, leftAt, isLost]
}

export function views(): void {
  const room = connect("/socket").room<Person>("rooms:1")
  const size: View<number> = room.select(({ users }) => users.length)
  const ada: View<Entry<Person> | undefined> = room.user("ada")
  const others: readonly Entry<Person>[] = room.others()
  const sorted = sortBy(room, (a, b) => a.metas[0].name.localeCompare(b.metas[0].name))
  const window: View<readonly Entry<Person>[]> = sorted.window(0, 10)
  const groups: View<ReadonlyMap<"in" | "away", readonly Entry<Person>[]>> = groupBy(
    room,
    (user) => user.metas[0].status,
  )
  const ofPresence = sortBy(new Presence<Person>({ on: () => 0, off: () => {} }).store, () => 0)
  room.onChange((changes, cause) => {
    // @ts-expect-error -- cause is one of three words
    if (cause === "state") return
    for (const change of changes) {
      if (change.type !== "update") continue
      const status: "in" | "away" | undefined = change.replaced[0]?.current.status
      void [status, change.added[0]?.name, change.removed[0]?.name, change.fields.includes("name")]
    }
  })
  // @ts-expect-error -- a field that the room's users do not have
  sortBy(room, (a, b) => a.metas[0].age - b.metas[0].age)
  // @ts-expect-error -- a group's users are read-only
  groups.getSnapshot().get("in")?.push()
  void [size, ada, others, window, ofPresence]
}

export function params(id: number): void {
  interface Login {
    token: string
  }
  const login: Login = { token: "t" }
  const connection = connect("/socket", { params: () => login })
  connection.room("rooms:1", login)
  connection.room("rooms:1", () => ({ id }))
  connection.room("rooms:1", async () => login)
  connect("/socket", { params: async () => login, authToken: async () => login.token })
  // @ts-expect-error -- a promise is asked for again at each attempt, so it has to come from a function
  connect("/socket", { params: Promise.resolve(login) })
}

export async function pushes(): Promise<void> {
  const room = connect("/socket").room("rooms:1")
  const { n } = await room.push<{ n: number }>("count", {})
  n.toFixed()
  room.on<{ text: string }>("shout", ({ text }) => text.trim())
  // @ts-expect-error -- what a reply holds is unknown, unless its type is given
  void (await room.push("count")).n
}

/** Code for phoenix.js, with its import changed. */
export function slide(token: string, id: string): void {
  const socket = new Socket("/socket", { params: { token } })
  const room = socket.channel(`rooms:${id}`)
  let presences = {}
  room.on("presence_state", (state) => {
    presences = Presence.syncState(presences, state)
  })
  room.on("presence_diff", (diff) => {
    presences = Presence.syncDiff(presences, diff)
  })
  console.log("users", Presence.list(presences))
  console.log(
    "users",
    Presence.list(presences, (name, { metas: [first] }) => `${name} ${first?.["status"]}`),
  )
  room.push("ping")
  room.onMessage = (_event, payload) => payload
  room.join().receive("ok", (response) => console.log(response))

  const presence = new Presence<Person>(room, { events: { state: "who" } })
  presence.onJoin((key, current, joined) => key.concat(current?.metas[0]?.name ?? "", joined.metas[0]!.name))
  presence.onLeave((_key, current) => current.metas.length)
  const first: Person["status"] | undefined = presence.get("ada")?.metas[0]?.status
  // @ts-expect-error -- a field that these users do not have
  presence.list((_key, { metas: [one] }) => one?.nickname)
  void first
}

export function reducers(state: PresenceState<Person>): void {
  const next: PresenceState<Person> = syncState(state, {
    ada: { metas: [{ phx_ref: "1", name: "Ada", status: "in" }] },
  })
  // @ts-expect-error -- a meta without the fields that these users have
  syncState<Person>(state, { ada: { metas: [{ phx_ref: "1" }] } })
  // @ts-expect-error -- a diff has two halves
  syncDiff(next, { joins: {} })
}

/** A channel of another client library, as its types describe it. */
export function otherChannels(channel: {
  on(event: string, callback: (response?: any) => void): number
  off(event: string, ref?: number): void
}): void {
  const like: ChannelLike = channel
  new Presence(like).dispose()
}
