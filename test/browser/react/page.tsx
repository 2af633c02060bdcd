/** The entry of the page. */
import { createRoot, hydrateRoot } from "react-dom/client"
import { startPage } from "../recorder.ts"
import { App } from "./app.tsx"

startPage((element, first, recorder, isRendered) => {
  const app = <App first={first} recorder={recorder} />
  if (isRendered) hydrateRoot(element, app)
  else createRoot(element).render(app)
})
