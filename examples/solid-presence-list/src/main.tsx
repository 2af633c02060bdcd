import { render } from "solid-js/web"
import { App } from "./app.js"
import { me, userId } from "./me.js"

render(() => <App me={me} userId={userId} />, document.getElementById("root")!)
