import solid from "vite-plugin-solid"
import { bindingContract, type Binding } from "../contracts/binding.ts"
import { bundle, load } from "./framework-build.ts"

bindingContract("Solid 1.9", async () => {
  const [script, { head, toText, toStream }] = await Promise.all([
    bundle("test/browser/solid/page.tsx", { plugins: [solid({ ssr: true, dev: true, hot: false })] }),
    load<Record<"toText" | "toStream", Binding["render"][string]> & { head(): string }>(
      "test/browser/solid/server.tsx",
      { plugins: [solid({ ssr: true, dev: false, hot: false })] },
    ),
  ])
  return { script, head: head(), render: { text: toText, stream: toStream } }
})
