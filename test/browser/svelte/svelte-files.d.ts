// What imports of components have, for the type checker. Svelte's compiler checks the components themselves.
declare module "*.svelte" {
  import type { Component } from "svelte"
  import type { Shown } from "../../contracts/binding-app.ts"
  import type { Recorder } from "../recorder.ts"

  const component: Component<{ first: Shown; recorder: Recorder }>
  export default component
}
