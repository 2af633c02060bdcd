/** The blocks of `examples/blocks`, all four of a framework in one page, from the package as it is published, in a real Chromium. */
import { cp, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { svelte } from "@sveltejs/vite-plugin-svelte"
import vue from "@vitejs/plugin-vue"
import type { Browser, Page } from "playwright"
import { build, type PluginOption } from "vite"
import solid from "vite-plugin-solid"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { relay } from "../../src/server/index.ts"
import { consumer } from "../package/consumer.js"
import { startChromium } from "../support/chromium.ts"
import { serve } from "../support/serve.ts"

let browser: Browser
beforeAll(async () => {
  browser = await startChromium()
})
afterAll(() => browser?.close())

interface Framework {
  readonly name: string
  readonly packages: readonly string[]
  readonly plugins: () => PluginOption[]
  /** The files beside the blocks. The first one is the entry. */
  readonly files: Readonly<Record<string, string>>
}

const ME = `const me = { name: new URLSearchParams(location.search).get("name") ?? "", color: "teal" }
const options = { params: { userId: me.name } }`

const FRAMEWORKS: Framework[] = [
  {
    name: "react",
    packages: ["react", "react-dom"],
    plugins: () => [],
    files: {
      "main.tsx": `import { createRoot } from "react-dom/client"
        import { RollcallProvider, useRoom } from "rollcall/react"
        import { AvatarStack } from "./avatar-stack"
        import { Cursors } from "./cursors"
        import { PresenceList } from "./presence-list"
        import { Typing } from "./typing"
        ${ME}
        function All() {
          const room = useRoom("rooms:1", { me })
          return <>
            <AvatarStack room={room} max={2} /><PresenceList room={room} /><Cursors room={room} />
            <Typing room={room} onSend={(text) => (document.title = text)} />
          </>
        }
        createRoot(document.querySelector("#app")).render(
          <RollcallProvider url="/socket" options={options}><All /></RollcallProvider>)`,
    },
  },
  {
    name: "vue",
    packages: ["vue"],
    plugins: () => [vue()],
    files: {
      "main.ts": `import { createApp } from "vue"
        import { RollcallPlugin } from "rollcall/vue"
        import All from "./All.vue"
        ${ME}
        createApp(All, { me }).use(RollcallPlugin, { url: "/socket", options }).mount("#app")`,
      "All.vue": `<script setup>
        import { useRoom } from "rollcall/vue"
        import AvatarStack from "./AvatarStack.vue"
        import Cursors from "./Cursors.vue"
        import PresenceList from "./PresenceList.vue"
        import Typing from "./Typing.vue"
        const props = defineProps(["me"])
        const room = useRoom("rooms:1", { me: props.me })
        const send = (text) => (document.title = text)
        </script>
        <template>
          <AvatarStack :room="room" :max="2" /><PresenceList :room="room" /><Cursors :room="room" />
          <Typing :room="room" @send="send" />
        </template>`,
    },
  },
  {
    name: "svelte",
    packages: ["svelte"],
    plugins: () => [svelte({ configFile: false })],
    files: {
      "main.ts": `import { mount } from "svelte"
        import All from "./All.svelte"
        ${ME}
        mount(All, { target: document.querySelector("#app"), props: { me, options } })`,
      "All.svelte": `<script>
        import { provideRollcall, useRoom } from "rollcall/svelte"
        import AvatarStack from "./AvatarStack.svelte"
        import Cursors from "./Cursors.svelte"
        import PresenceList from "./PresenceList.svelte"
        import Typing from "./Typing.svelte"
        const { me, options } = $props()
        provideRollcall(() => ({ url: "/socket", options }))
        const room = useRoom("rooms:1", () => ({ me }))
        </script>
        <AvatarStack room={room.current} max={2} /><PresenceList room={room.current} /><Cursors room={room.current} />
        <Typing room={room.current} onsend={(text) => (document.title = text)} />`,
    },
  },
  {
    name: "solid",
    packages: ["solid-js"],
    plugins: () => [solid()],
    files: {
      "main.tsx": `import { render } from "solid-js/web"
        import { RollcallProvider, useRoom } from "rollcall/solid"
        import { AvatarStack } from "./avatar-stack"
        import { Cursors } from "./cursors"
        import { PresenceList } from "./presence-list"
        import { Typing } from "./typing"
        ${ME}
        function All() {
          const room = useRoom("rooms:1", { me })
          return <>
            <AvatarStack room={room()} max={2} /><PresenceList room={room()} /><Cursors room={room()} />
            <Typing room={room()} onSend={(text) => (document.title = text)} />
          </>
        }
        render(() => <RollcallProvider url="/socket" options={options}><All /></RollcallProvider>,
          document.querySelector("#app"))`,
    },
  },
]

/** Bundles a page of all blocks of a framework. */
async function bundleOf({ name, packages, plugins, files }: Framework): Promise<{ script: string; style: string }> {
  const { folder, remove } = await consumer([...packages])
  onTestFinished(remove)
  await cp(`examples/blocks/${name}`, folder, { recursive: true })
  const sources = Object.entries(files)
  await Promise.all(sources.map(([file, text]) => writeFile(join(folder, file), text)))
  const built = await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    // The development build of a framework warns of more.
    mode: "development",
    define: { "process.env.NODE_ENV": '"development"' },
    ...(name === "react" && { oxc: { jsx: { runtime: "automatic" as const } } }),
    plugins: plugins(),
    build: { write: false, minify: false, rolldownOptions: { input: join(folder, sources[0]![0]) } },
  })
  if (!("output" in built)) throw new Error("expected one build, got several or a watcher")
  const style = built.output.find(({ fileName }) => fileName.endsWith(".css"))
  return { script: built.output[0].code, style: style && "source" in style ? String(style.source) : "" }
}

test.for(FRAMEWORKS)(
  "the blocks for $name show who is here, who types, and where the pointers are",
  async (framework) => {
    const { script, style } = await bundleOf(framework)
    const html = `<!doctype html><html lang="en"><link rel="icon" href="data:,"><style>${style}</style><div id="app"></div>
    <script type="module" src="/page.js"></script>`
    const { url } = await serve<{ userId: string }>(
      (server) => {
        server.socket("/socket", { connect: ({ params: { userId = "" } }) => ({ userId }) })
        server.channel("rooms:*", {
          join: () => ({ ok: {} }),
          allow: ["name", "color", "typing", "away"],
          presence: ({ assigns }, me) => ({ key: assigns.userId, meta: me }),
          on: { cursor: relay({ reply: false }) },
        })
      },
      {},
      {
        request: ({ url }, response) => {
          response.setHeader("Content-Type", url === "/page.js" ? "text/javascript" : "text/html")
          response.end(url === "/page.js" ? script : html)
        },
      },
    )
    const complaints: string[] = []
    const open = async (name: string): Promise<Page> => {
      const page = await browser.newPage()
      onTestFinished(() => page.close())
      page.on("console", (message) => {
        if (["warning", "error"].includes(message.type())) complaints.push(message.text())
      })
      page.on("pageerror", (error) => complaints.push(String(error)))
      await page.goto(`${url.replace("ws:", "http:")}/?name=${name}`)
      return page
    }
    const stackOf = (page: Page): Promise<string[]> =>
      page
        .getByRole("list", { name: "People here" })
        .getByRole("listitem")
        .evaluateAll((items) => items.map((item) => `${item.getAttribute("title")}: ${item.textContent?.trim()}`))
    const listOf = (page: Page): Promise<string[]> =>
      page
        .getByRole("list", { name: "Everybody here" })
        .getByRole("listitem")
        .evaluateAll((items) => items.map((item) => (item.textContent ?? "").replace(/\s+/g, " ").trim()))

    const grace = await open("Grace")
    await expect.poll(() => stackOf(grace)).toEqual(["Grace: G"])
    const ada = await open("Ada")
    await expect.poll(() => stackOf(ada)).toEqual(["Ada: A", "Grace: G"])
    await expect.poll(() => stackOf(grace)).toEqual(["Grace: G", "Ada: A"])
    const linus = await open("Linus")
    await expect.poll(() => stackOf(linus)).toEqual(["Linus: L", "Grace: G", "Ada: +1"])
    const withoutSpaces = async (): Promise<string[]> => (await listOf(ada)).map((text) => text.replaceAll(" ", ""))
    await expect.poll(withoutSpaces).toEqual(["Adayou", "Grace", "Linus"])

    // Typing ends by itself after 3 s, and a key may take that long on a busy machine: so they type until it is seen.
    const fieldOf = (page: Page) => page.getByRole("textbox", { name: "Message" })
    const seen = grace.locator("form p")
    const typeUntil = (typing: readonly Page[], line: RegExp): Promise<void> =>
      expect
        .poll(async () => {
          for (const page of typing) await fieldOf(page).pressSequentially("a")
          return seen.innerText()
        })
        .toMatch(line)
    await typeUntil([ada], /^Ada is typing …$/)
    await typeUntil([ada, linus], /^(Ada and Linus|Linus and Ada) are typing …$/)
    const text = await fieldOf(ada).inputValue()
    await fieldOf(ada).press("Enter")
    await expect.poll(() => ada.title()).toBe(text)
    expect(await fieldOf(ada).inputValue()).toBe("")
    await expect.poll(() => seen.innerText()).not.toContain("Ada")

    const { width, height } = ada.viewportSize()!
    const cursor = grace.locator("svg", { has: grace.locator("path") })
    let moves = 0
    await expect
      .poll(async () => {
        // Up and down, because a pointer that rests sends nothing.
        await ada.mouse.move(width / 2, height / (2 + (moves++ % 2)))
        // In one look, because a pointer that rests may soon be hidden.
        return cursor.evaluateAll((cursors) =>
          cursors.map(({ parentElement }) => `${parentElement?.innerText.trim()} ${parentElement?.style.left}`),
        )
      })
      .toEqual(["Ada 50%"])

    await ada.close()
    await expect.poll(() => stackOf(grace)).toEqual(["Grace: G", "Linus: L"])
    await expect.poll(() => cursor.count()).toBe(0)
    expect(complaints).toEqual([])
  },
)
