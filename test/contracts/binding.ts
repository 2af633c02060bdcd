/** What each binding of a UI framework must do, in a real Chromium against the real server. */
import type { Browser, BrowserContext, Page } from "playwright"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { WebSocket } from "ws"
import { connect, type Change, type Entry, type Room } from "../../src/client/index.ts"
import { relay, watchKeys, type Server } from "../../src/server/index.ts"
import { startChromium } from "../support/chromium.ts"
import { serve } from "../support/serve.ts"
import type { Meta, Shown, TestPage } from "./binding-app.ts"

/** A binding under test: the application of `binding-app.ts`, built with it. */
export interface Binding {
  /** A module script that sets the global `page`, and shows `#shown` in `#app`: what a server has rendered there comes alive. */
  readonly script: string
  /** What a rendered page needs in its head. */
  readonly head?: string
  /** What a server renders in place of a panel that waits for the first view. Default the panel, with what is known. */
  readonly waiting?: string
  /** Renders the application as a server does, each in another way. */
  readonly render: Readonly<Record<string, (shown: Shown) => string | Promise<string>>>
}

const FIRST: Shown = { isMounted: true, user: "me", topic: "rooms:1", panels: 1, me: { name: "Me" } }
const ADA: Entry<Meta> = { key: "ada", metas: [{ name: "Ada", phx_ref: "0" }] }

/** How long a page may take for one step. A last resort, because Chromium is slow on a busy machine. */
const PAGE_TIMEOUT_MS = 60_000

/** A user beside the page, and what it has seen of the room. */
interface Other {
  readonly room: Room<Meta>
  /** The joins, updates and leaves after the first state, as `join ada`. */
  readonly seen: string[]
  leave(): void
}

/** A page with the application, the server, and what the server has seen. */
interface Opened {
  readonly page: Page
  readonly context: BrowserContext
  readonly server: Server<{ user: string }>
  /** The joins of all clients, as `ada rooms:1`. */
  readonly joins: string[]
  /** The keys that clients asked about, in the order in which the server was asked. */
  readonly asked: string[]
  /** The sockets that were opened by the page's user. */
  readonly sockets: string[]
  /** What the page wrote to the console as a warning or an error, and threw. */
  readonly complaints: string[]
  other(key: string, meta?: Meta, topic?: string): Promise<Other>
  show(shown: Partial<Shown>): Promise<void>
  /** Waits until the page shows this text in all panels. */
  shows(what: keyof typeof PARTS, ...texts: string[]): Promise<void>
  evaluate<T>(read: (page: TestPage) => T): Promise<T>
}

const PARTS = {
  status: ".status",
  keys: ".keys",
  others: ".others",
  self: ".self",
  users: ".user",
  friends: ".friends",
  friend: ".friend",
}

/**
 * Defines the tests of a binding.
 *
 * @param build builds the application
 */
export function bindingContract(name: string, build: () => Promise<Binding>): void {
  describe(name, () => {
    let browser: Browser
    let binding: Binding
    beforeAll(async () => {
      ;[browser, binding] = await Promise.all([startChromium(), build()])
    })
    afterAll(() => browser?.close())

    async function open(
      given: Partial<Shown> = {},
      render?: keyof Binding["render"],
      { isWatching = true } = {},
    ): Promise<Opened> {
      const first = { ...FIRST, ...given }
      const joins: string[] = []
      const asked: string[] = []
      const sockets: string[] = []
      const rendered = render === undefined ? "" : await binding.render[render]!(first)
      const html = `<!doctype html><link rel="icon" href="data:,">${binding.head ?? ""}<div id="app">${rendered}</div>
        <script type="application/json" id="shown">${JSON.stringify(first)}</script><script type="module" src="/page.js"></script>`
      const { server, url } = await serve<{ user: string }>(
        (server) => {
          server.socket("/socket", {
            connect: ({ params }) => {
              const { user = "" } = params
              sockets.push(user)
              return { user }
            },
          })
          const may = (_channel: object, keys: readonly string[]): readonly string[] => {
            asked.push(...keys)
            return keys.filter((key) => key !== "stranger")
          }
          if (isWatching) server.channel("presence:watch", watchKeys({ may, graceMs: 0, paceMs: 0 }))
          server.channel("rooms:*", {
            join: (topic, _params, { assigns }) => {
              joins.push(`${assigns.user} ${topic}`)
              return assigns.user === "banned" ? { error: { reason: "banned" } } : { ok: {} }
            },
            presence: ({ assigns }, me) => ({ key: assigns.user, meta: { name: assigns.user, ...me } }),
            allow: ["name", "color"],
            on: { cursor: relay() },
          })
        },
        {},
        {
          request: (request, response) => {
            response.setHeader("Content-Type", request.url === "/page.js" ? "text/javascript" : "text/html")
            response.end(request.url === "/page.js" ? binding.script : html)
          },
        },
      )
      const context = await browser.newContext()
      const page = await context.newPage()
      page.setDefaultTimeout(PAGE_TIMEOUT_MS)
      onTestFinished(() => context.close())
      const complaints: string[] = []
      page.on("console", (message) => {
        if (["warning", "error"].includes(message.type())) complaints.push(message.text())
      })
      page.on("pageerror", (error) => complaints.push(String(error)))
      await page.goto(url.replace("ws:", "http:"))
      const opened: Opened = {
        page,
        context,
        server,
        joins,
        asked,
        sockets,
        complaints,
        async other(user, meta, topic = "rooms:1") {
          const connection = connect(`${url}/socket`, { params: { user }, transport: WebSocket })
          onTestFinished(() => connection.disconnect())
          const room = connection.room<Meta>(topic, meta ? { me: meta } : {})
          await room.ready
          const seen: string[] = []
          const add = (changes: readonly Change<Meta>[]): void =>
            void seen.push(...changes.map(({ type, key }) => `${type} ${key}`))
          room.onChange(add)
          return { room, seen, leave: () => connection.disconnect() }
        },
        show: (shown) => page.evaluate((shown) => globalThis.page.show(shown), shown),
        async shows(what, ...texts) {
          const shown = (): Promise<string[]> => page.locator(PARTS[what]).allInnerTexts()
          await expect.poll(shown).toEqual(texts)
        },
        evaluate: (read) => page.evaluate(`(${read})(globalThis.page)`),
      }
      if (first.topic && first.user === "me" && !first.suspends && !render)
        await opened.shows("keys", ...Array.from({ length: first.panels }, () => "me"))
      return opened
    }

    describe("a room in a page", () => {
      test("shows all users, with what they say of themselves, as they come, change and go", async () => {
        const { other, shows } = await open({ me: { name: "Me", color: "red" } })
        await shows("users", "Me red")
        await shows("self", "me")
        const ada = await other("ada", { name: "Ada" })
        await shows("users", "Ada", "Me red")
        ada.room.update({ color: "blue" })
        await shows("users", "Ada blue", "Me red")
        await shows("keys", "ada me")
        await shows("others", "ada")
        ada.leave()
        await shows("users", "Me red")
        await shows("others", "")
      })

      test("is joined once by one socket, and not before a component shows it", async () => {
        const { sockets, joins, shows, show, other, complaints } = await open({ topic: null })
        await shows("status", "joining")
        const ada = await other("ada")
        expect([sockets, joins]).toEqual([["ada"], ["ada rooms:1"]])
        await show({ topic: "rooms:1" })
        await shows("status", "live")
        await shows("keys", "ada me")
        expect(sockets).toEqual(["ada", "me"])
        expect(joins).toEqual(["ada rooms:1", "me rooms:1"])
        await expect.poll(() => ada.seen).toEqual(["join me"])
        expect(complaints).toEqual([])
      })

      test("tells with its first state what we say of ourselves, without an update after it", async () => {
        const { other, show, shows } = await open({ topic: null, me: { name: "Me", color: "red" } })
        const ada = await other("ada")
        await show({ topic: "rooms:1" })
        await shows("keys", "ada me")
        await show({ me: { name: "Me", color: "green" } })
        await expect.poll(() => ada.room.get("me")?.metas[0].color).toBe("green")
        expect(ada.seen).toEqual(["join me", "update me"])
      })

      test("is shared by all components with its topic, and left with the last one", async () => {
        const { joins, sockets, shows, show, other } = await open({ panels: 3 })
        const ada = await other("ada")
        await shows("keys", "ada me", "ada me", "ada me")
        await show({ panels: 1 })
        await shows("keys", "ada me")
        const bob = await other("bob")
        await shows("keys", "ada bob me")
        await show({ panels: 0 })
        await expect.poll(() => ada.seen).toEqual(["join bob", "leave me"])
        await expect.poll(() => bob.seen).toEqual(["leave me"])
        expect(joins).toEqual(["me rooms:1", "ada rooms:1", "bob rooms:1"])
        expect(sockets).toEqual(["me", "ada", "bob"])
      })

      test("stays joined when its component is rendered again with other objects that are equal", async () => {
        const { joins, show, shows, other } = await open()
        const ada = await other("ada")
        await shows("keys", "ada me")
        for (let times = 0; times < 5; times += 1) await show({ me: { name: "Me" } })
        const bob = await other("bob")
        await shows("keys", "ada bob me")
        expect(joins).toEqual(["me rooms:1", "ada rooms:1", "bob rooms:1"])
        await expect.poll(() => ada.seen).toEqual(["join bob"])
        expect(bob.seen).toEqual([])
      })

      test("sends only the fields of me that changed", async () => {
        const { page, show, shows, other } = await open({ me: { name: "Me", color: "red" } })
        const ada = await other("ada")
        await shows("keys", "ada me")
        const sent: unknown[] = []
        await page.evaluate(() => {
          const { prototype } = globalThis.WebSocket
          const { send } = prototype
          const sent: string[] = []
          Object.assign(globalThis, { sent })
          prototype.send = function (data) {
            if (String(data).includes("presence_update")) sent.push(String(data))
            Reflect.apply(send, this, [data])
          }
        })
        await show({ me: { name: "Me", color: "green" } })
        await expect.poll(() => ada.room.get("me")?.metas[0]).toMatchObject({ name: "Me", color: "green" })
        sent.push(...(await page.evaluate<string[]>("sent")).map((text) => (JSON.parse(text) as unknown[])[4]))
        expect(sent).toEqual([{ meta: { color: "green" } }])
      })

      test("is left with its provider, whose socket is closed", async () => {
        const { server, show, shows, other, sockets, evaluate } = await open()
        const ada = await other("ada")
        await shows("keys", "ada me")
        await show({ isMounted: false })
        await expect.poll(() => ada.seen).toEqual(["leave me"])
        await expect.poll(() => server.stats().connections).toBe(1)
        await show({ isMounted: true })
        await shows("keys", "ada me")
        await expect.poll(() => ada.seen).toEqual(["leave me", "join me"])
        expect(sockets).toEqual(["me", "ada", "me"])
        expect(await evaluate((page) => page.errors)).toEqual([])
      })

      test("gives way to the room of another topic, which never shows the users of the former one", async () => {
        const { other, show, shows, evaluate, joins, sockets } = await open()
        const ada = await other("ada")
        await other("bob", undefined, "rooms:2")
        await shows("keys", "ada me")
        await evaluate((page) => page.history.splice(0))
        await show({ topic: "rooms:2" })
        await shows("keys", "bob me")
        await expect.poll(() => ada.seen).toEqual(["leave me"])
        const history = await evaluate((page) => page.history)
        expect(history.join(" ")).not.toContain("ada")
        await show({ topic: null })
        await shows("keys", "")
        expect(joins).toEqual(["me rooms:1", "ada rooms:1", "bob rooms:2", "me rooms:2"])
        expect(sockets).toEqual(["me", "ada", "bob"])
      })

      test("keeps its users while the page is offline, and is live again after it", async () => {
        const { context, other, shows, joins } = await open()
        const ada = await other("ada")
        await shows("keys", "ada me")
        await context.setOffline(true)
        await shows("status", "stale")
        await shows("keys", "ada me")
        ada.room.update({ name: "Ada L." })
        await context.setOffline(false)
        await shows("status", "live")
        await shows("users", "Ada L.", "Me")
        expect(joins.filter((join) => join === "ada rooms:1")).toHaveLength(1)
      })

      test("that the server refuses is closed, and breaks no component", async () => {
        const { shows, evaluate, joins } = await open({ user: "banned" })
        await shows("status", "closed")
        expect(joins).toEqual(["banned rooms:1"])
        expect(await evaluate((page) => page.errors)).toEqual([])
      })

      test("passes messages to a callback, which may be another function in each render", async () => {
        const { other, show, shows, evaluate } = await open()
        const ada = await other("ada")
        await shows("keys", "ada me")
        await ada.room.push("cursor", { x: 1 })
        const first = { x: 1, from: "ada", seenBy: "Me" }
        await expect.poll(() => evaluate((page) => page.cursors)).toEqual([first])
        await show({ me: { name: "I" } })
        await shows("users", "ada", "I")
        await ada.room.push("cursor", { x: 2 })
        const second = { x: 2, from: "ada", seenBy: "I" }
        await expect.poll(() => evaluate((page) => page.cursors)).toEqual([first, second])
      })

      test("sends updates and messages", async () => {
        const { other, shows, evaluate } = await open()
        const ada = await other("ada")
        await shows("keys", "ada me")
        const heard = new Promise((resolve) => ada.room.on("cursor", resolve))
        await evaluate((page) => page.broadcast("cursor", { y: 1 }))
        expect(await heard).toEqual({ y: 1, from: "me" })
        await evaluate((page) => page.update({ color: "pink" }))
        await shows("users", "ada", "Me pink")
      })
    })

    test("a component that is gone leaves no listener, and never closes a connection of the application", async () => {
      const { other, show, shows, server, sockets, joins, evaluate } = await open({ isGiven: true, panels: 3 })
      const ada = await other("ada", { name: "Ada" })
      await shows("keys", "ada me", "ada me", "ada me")
      const all = await evaluate((page) => page.listeners())
      expect(all).toBeGreaterThanOrEqual(3)
      await show({ panels: 1 })
      await expect.poll(() => evaluate((page) => page.listeners())).toBeLessThan(all / 2)
      await show({ topic: "rooms:2" })
      await shows("keys", "me")
      // A room that is taken again within the linger would not be left.
      await expect.poll(() => ada.seen).toEqual(["leave me"])
      await show({ topic: "rooms:1" })
      await shows("keys", "ada me")
      await expect.poll(() => evaluate((page) => page.listeners())).toBeLessThan(all / 2)
      await show({ isMounted: false })
      await expect.poll(() => evaluate((page) => page.listeners())).toBe(0)
      await expect.poll(() => ada.seen).toEqual(["leave me", "join me", "leave me"])
      expect(server.stats().connections).toBe(2)
      await show({ isMounted: true })
      await shows("keys", "ada me")
      expect(sockets).toEqual(["me", "ada"])
      expect(joins).toEqual(["me rooms:1", "ada rooms:1", "me rooms:2", "me rooms:1", "me rooms:1"])
    })

    test("a me whose fields change in place is sent, with the join and later", async () => {
      const { other, show, shows, evaluate } = await open({ isMutable: true })
      const ada = await other("ada", { name: "Ada" })
      await shows("users", "Ada", "me")
      await evaluate((page) => page.mutate({ color: "red" }))
      await shows("users", "Ada", "me red")
      await show({ topic: "rooms:2" })
      await expect.poll(() => ada.room.get("me")).toBeUndefined()
      await shows("users", "me red")
      await evaluate((page) => page.mutate({ color: "blue" }))
      await shows("users", "me blue")
    })

    test("a selector chooses anew when what it uses has changed", async () => {
      const { other, show, shows } = await open()
      await other("ada")
      await shows("keys", "ada me")
      await show({ hidden: "ada" })
      await shows("keys", "me")
      await show({ hidden: "me" })
      await shows("keys", "ada")
    })

    test("a change of one user renders the component of that user, and no other", async () => {
      const { other, shows, evaluate } = await open()
      const names = ["ada", "bob", "cid"]
      const others = await Promise.all(names.map((name) => other(name, { name })))
      await expect.poll(() => evaluate((page) => Object.keys(page.renders).length)).toBe(5)
      await expect.poll(() => evaluate((page) => page.history.at(-1)?.split(" ").length)).toBe(4)
      const before = await evaluate((page) => ({ ...page.renders }))
      others[1]!.room.update({ color: "blue" })
      await expect
        .poll(() => evaluate((page) => document.body.innerText.includes("bob blue") && page.renders))
        .toEqual({
          ...before,
          bob: before["bob"]! + 1,
        })
      await shows("status", "live")
    })

    describe("which keys are online anywhere", () => {
      test("is asked once for each key by one channel; a change renders who reads that key, and no other", async () => {
        const { server, shows, evaluate, asked, complaints } = await open({ asks: ["ada", "bob", "stranger"] })
        await shows("friends", "live ada offline bob offline stranger refused")
        await shows("friend", "ada offline", "bob offline", "stranger refused")
        expect(asked.slice().sort()).toEqual(["ada", "bob", "stranger"])
        expect(server.stats().channels).toBe(2)
        const before = await evaluate((page) => ({ ...page.renders }))
        const bob = server.presence.track({ topic: "elsewhere", key: "bob" })
        await shows("friend", "ada offline", "bob online", "stranger refused")
        await shows("friends", "live ada offline bob online stranger refused")
        expect(await evaluate((page) => page.renders)).toEqual({
          ...before,
          "friend bob": before["friend bob"]! + 1,
          friends: before["friends"]! + 1,
        })
        bob.end()
        await shows("friends", "live ada offline bob offline stranger refused")
        expect(complaints).toEqual([])
      })

      test("may change: what is known of keys that stay is never unknown, and equal keys are not asked again", async () => {
        const { server, show, shows, evaluate, asked } = await open({ asks: ["ada", "bob"] })
        server.presence.track({ topic: "elsewhere", key: "bob" })
        await shows("friends", "live ada offline bob online")
        await evaluate((page) => page.friends.splice(0))
        await show({ asks: ["bob", "cid"] })
        await shows("friends", "live bob online cid offline")
        await shows("friend", "bob online", "cid offline")
        await show({ asks: ["bob", "cid"] })
        await show({ asks: ["bob", "cid", "dan"] })
        await shows("friends", "live bob online cid offline dan offline")
        expect(await evaluate((page) => page.friends.filter((text) => !text.startsWith("live bob online")))).toEqual([])
        expect(asked.slice().sort()).toEqual(["ada", "bob", "cid", "dan"])
      })

      test("is asked while a component shows it: without keys never, and no longer when it is gone", async () => {
        const { server, show, shows, evaluate, asked } = await open({ asks: [] })
        await shows("friends", "joining")
        expect(server.stats().channels).toBe(1)
        await show({ asks: ["ada"] })
        await shows("friends", "live ada offline")
        expect(server.stats().channels).toBe(2)
        await show({ asks: null })
        await expect.poll(() => server.stats().channels).toBe(1)
        await shows("keys", "me")
        await show({ asks: ["ada"] })
        await shows("friends", "live ada offline")
        expect(asked).toEqual(["ada", "ada"])
        await show({ isMounted: false })
        await expect.poll(() => server.stats().connections).toBe(0)
        expect(await evaluate((page) => page.errors)).toEqual([])
      })

      test("is refused by a server without the channel: the status is closed, and no component breaks", async () => {
        const { shows, evaluate } = await open({ asks: ["ada"] }, undefined, { isWatching: false })
        await shows("friends", "closed rejected")
        await shows("friend", "ada")
        await shows("keys", "me")
        expect(await evaluate((page) => page.errors)).toEqual([])
      })
    })

    test("a component that waits for the first view is shown with it, and never without users", async () => {
      const { other, show, shows, evaluate, joins, complaints } = await open({ topic: null, suspends: true })
      const ada = await other("ada")
      await evaluate((page) => page.history.splice(0))
      await show({ topic: "rooms:1" })
      await shows("keys", "ada me")
      // Frameworks may run effects, which write the history, after the page shows the text.
      await expect.poll(() => evaluate((page) => page.history)).toEqual(["ada me"])
      expect(joins).toEqual(["ada rooms:1", "me rooms:1"])
      await show({ panels: 0 })
      await expect.poll(() => ada.seen).toEqual(["join me", "leave me"])
      expect(complaints).toEqual([])
    })

    test("a component that waits for the first view gets the error of a refused join", async () => {
      const { page, evaluate, joins } = await open({ user: "banned", suspends: true })
      await page.waitForSelector(".failed")
      expect((await evaluate((page) => page.errors)).at(-1)).toContain("banned")
      expect(joins).toEqual(["banned rooms:1"])
    })

    describe("what a server renders", () => {
      test.each(["text", "stream"])("shows the initial users, and comes alive without a warning: %s", async (how) => {
        const { page, shows, evaluate, complaints, joins, sockets } = await open({ initialUsers: [ADA] }, how)
        const html = await (await page.request.get(page.url())).text()
        expect(html).toContain("Ada")
        await shows("keys", "me")
        await expect.poll(() => evaluate((page) => page.history)).toEqual(["ada", "me"])
        expect(complaints).toEqual([])
        expect(joins).toEqual(["me rooms:1"])
        expect(sockets).toEqual(["me"])
      })

      test("has no answer to which keys are online, and comes alive without a warning", async () => {
        const { page, shows, complaints, sockets, evaluate } = await open({ asks: ["ada"] }, "text")
        const html = await (await page.request.get(page.url())).text()
        expect(html).toMatch(/class="friends"[^<]*>(<!--[^<]*-->)?joining/)
        await shows("friends", "live ada offline")
        expect(await evaluate((page) => page.friends[0])).toBe("joining")
        expect(complaints).toEqual([])
        expect(sockets).toEqual(["me"])
      })

      test.each(["text", "stream"])("has nothing that joins or waits: %s", async (how) => {
        const { page, shows, complaints, sockets } = await open({ suspends: true, panels: 2 }, how)
        const html = await (await page.request.get(page.url())).text()
        expect(html).toContain(binding.waiting ?? '<p class="status">joining</p>')
        await shows("keys", "me", "me")
        expect(complaints).toEqual([])
        expect(sockets).toEqual(["me"])
      })
    })
  })
}
