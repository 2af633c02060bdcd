/** The entry of the page. */
import { createApp, createSSRApp } from "vue"
import { startPage } from "../recorder.ts"
import { App } from "./app.ts"

startPage((element, first, recorder, isRendered) => {
  ;(isRendered ? createSSRApp : createApp)(App, { first, recorder }).mount(element)
})
