import { svelte } from "@sveltejs/vite-plugin-svelte"
import { defineConfig } from "vite"
import { server } from "./server.js"

// Vite's own server serves the sockets, too: one command, one port. In production, server.listen(4000) does it.
const attach = async ({ httpServer }) => {
  await server.attach(httpServer)
}

export default defineConfig({
  plugins: [svelte(), { name: "rollcall", configureServer: attach, configurePreviewServer: attach }],
})
