/** VitePress's theme without its fonts, which weigh as much as all the rest of a page. */
import DefaultTheme from "vitepress/theme-without-fonts"
import SetSteps from "./SetSteps.vue"
import "./style.css"

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => app.component("SetSteps", SetSteps),
}
