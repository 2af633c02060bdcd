/** The entry of the page. */
import { hydrate, mount } from "svelte"
import { startPage } from "../recorder.ts"
import App from "./App.svelte"

startPage((target, first, recorder, isRendered) => {
  ;(isRendered ? hydrate : mount)(App, { target, props: { first, recorder } })
})
