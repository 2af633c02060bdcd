import { mount } from "svelte"
import App from "./App.svelte"
import { me, userId } from "./me.js"

mount(App, { target: document.getElementById("root")!, props: { me, userId } })
