/** Pages with what only Vue has: `KeepAlive`, stores, and components that hydrate late. The name of one is in the URL: `?name`. */
import {
  KeepAlive,
  createApp,
  createSSRApp,
  defineAsyncComponent,
  defineComponent,
  effectScope,
  h,
  shallowRef,
  type Component,
} from "vue"
import { RollcallPlugin, useRoom, useUsers } from "../../../src/client/bindings/vue.ts"

declare global {
  // oxlint-disable-next-line no-var -- a global of the page
  var go: (() => void) | undefined
}

const Users = defineComponent(() => {
  const room = useRoom("rooms:1", { initialUsers: [{ key: "early", metas: [{ phx_ref: "0" }] }] })
  const keys = useUsers(room, (users) => users.map(({ key }) => key).sort())
  return () => h("p", { class: "keys" }, keys.value.join(" "))
})

/** Is loaded in a page when the test says so, and on a server at once. */
const Late = defineAsyncComponent(async () => {
  if (typeof window !== "undefined") await new Promise<void>((resolve) => (globalThis.go = resolve))
  return Users
})

export const PLACES: Record<string, Component> = {
  kept: defineComponent(() => {
    const isShown = shallowRef(true)
    globalThis.go = () => void (isShown.value = !isShown.value)
    return () => h(KeepAlive, () => [isShown.value ? h(Users) : h("p", "elsewhere")])
  }),
  late: defineComponent(() => () => h("div", [h(Users), h(Late)])),
  store: defineComponent(() => {
    // As stores do: a scope that outlives the component that was the first to use it.
    const scope = effectScope(true)
    const keys = scope.run(() => useUsers(useRoom("rooms:1"), (users) => users.map(({ key }) => key).sort()))!
    globalThis.go = () => scope.stop()
    return () => h("p", { class: "keys" }, keys.value.join(" "))
  }),
}

/** The application of one place, for the page and for a server. */
export const createPlace = (name: string, isRendered: boolean) =>
  (isRendered ? createSSRApp : createApp)(PLACES[name]!).use(RollcallPlugin, {
    url: "/socket",
    options: { params: { user: "me" } },
  })
