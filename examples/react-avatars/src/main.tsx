import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { App } from "./app.js"
import { me, userId } from "./me.js"

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App me={me} userId={userId} />
  </StrictMode>,
)
