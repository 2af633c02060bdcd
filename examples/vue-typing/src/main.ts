import { createApp } from "vue"
import { RollcallPlugin } from "rollcall/vue"
import App from "./App.vue"
import { me, userId } from "./me.js"

createApp(App, { me })
  .use(RollcallPlugin, { url: "/socket", options: { params: { userId } } })
  .mount("#root")
