import { svelte } from "@sveltejs/vite-plugin-svelte"
import { bindingContract, type Binding } from "../contracts/binding.ts"
import { bundle, load } from "./framework-build.ts"

const config = { plugins: [svelte({ configFile: false })] }

bindingContract("Svelte 5", async () => {
  const [script, { toText, toStream }] = await Promise.all([
    bundle("test/browser/svelte/page.ts", config),
    load<Record<"toText" | "toStream", Binding["render"][string]>>("test/browser/svelte/server.ts", config),
  ])
  // Svelte's server does not wait for what {#await} awaits.
  return { script, waiting: '<p class="waiting"></p>', render: { text: toText, stream: toStream } }
})
