import react from "@vitejs/plugin-react"
import { defineConfig } from "vite"
import { server } from "./server.js"

// Vite's own server serves the sockets, too: one command, one port. In production, server.listen(4000) does it.
const attach = async ({ httpServer }) => {
  await server.attach(httpServer)
}

export default defineConfig({
  plugins: [react(), { name: "rollcall", configureServer: attach, configurePreviewServer: attach }],
})
