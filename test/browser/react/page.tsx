/** The entry of the page: shows the application in `#app`, which a server may have rendered before. */
import { createRoot, hydrateRoot } from "react-dom/client"
import type { Shown, TestPage } from "../../contracts/binding-app.ts"
import { App, type Recorder } from "./app.tsx"

const recorder: Recorder = { renders: {}, history: [], cursors: [], errors: [], show: () => {} }
const page: TestPage = {
  renders: recorder.renders,
  history: recorder.history,
  cursors: recorder.cursors,
  errors: recorder.errors,
  show: (shown) => recorder.show(shown),
  update: (patch) => recorder.update!(patch),
  broadcast: (event, payload) => recorder.broadcast!(event, payload),
}
globalThis.page = page

const element = document.querySelector("#app")!
const first = JSON.parse(document.querySelector("#shown")!.textContent) as Shown
const app = <App first={first} recorder={recorder} />
if (element.hasChildNodes()) hydrateRoot(element, app)
else createRoot(element).render(app)
