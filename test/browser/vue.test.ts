import { bindingContract, type Binding } from "../contracts/binding.ts"
import { bundle, load } from "./framework-build.ts"

const config = {
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "true",
  },
}

bindingContract("Vue 3.5", async () => {
  const [script, { toText, toStream }] = await Promise.all([
    bundle("test/browser/vue/page.ts", config),
    load<Record<"toText" | "toStream", Binding["render"][string]>>("test/browser/vue/server.ts", config),
  ])
  return { script, render: { text: toText, stream: toStream } }
})
