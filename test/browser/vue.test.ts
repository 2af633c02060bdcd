import { bindingContract, type Binding } from "../contracts/binding.ts"
import { bundle, load } from "./framework-build.ts"
import { config } from "./vue/config.ts"

bindingContract("Vue 3.5", async () => {
  const [script, { toText, toStream }] = await Promise.all([
    bundle("test/browser/vue/page.ts", config),
    load<Record<"toText" | "toStream", Binding["render"][string]>>("test/browser/vue/server.ts", config),
  ])
  return { script, render: { text: toText, stream: toStream } }
})
