/** VitePress's theme without its fonts, which weigh as much as all the rest of a page. */
import { useRoute } from "vitepress"
import DefaultTheme from "vitepress/theme-without-fonts"
import { defineAsyncComponent, h, nextTick, onMounted, watch } from "vue"
import ClusterLink from "./ClusterLink.vue"
import "./style.css"

export default {
  extends: DefaultTheme,
  Layout: {
    setup() {
      const route = useRoute()
      // The first page has no main landmark in VitePress's theme.
      const mark = () =>
        nextTick(() => {
          const content = document.getElementById("VPContent")
          if (content?.querySelector("main")) content.removeAttribute("role")
          else content?.setAttribute("role", "main")
        })
      onMounted(mark)
      watch(() => route.path, mark)
      return () => h(DefaultTheme.Layout)
    },
  },
  // Only the page that shows the steps loads them, and the set with them.
  enhanceApp: ({ app }) => {
    app.component("ClusterLink", ClusterLink)
    app.component(
      "SetSteps",
      defineAsyncComponent(() => import("./SetSteps.vue")),
    )
  },
}
