/** The entry of the page. */
/** @jsxImportSource solid-js */
import { hydrate, render } from "solid-js/web"
import { startPage } from "../recorder.ts"
import { App } from "./app.tsx"

startPage((element, first, recorder, isRendered) => {
  ;(isRendered ? hydrate : render)(() => <App first={first} recorder={recorder} />, element)
})
