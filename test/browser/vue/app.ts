/** The application of `test/contracts/binding-app.ts`, with Vue. */
import {
  Suspense,
  defineComponent,
  h,
  onErrorCaptured,
  onMounted,
  onUpdated,
  reactive,
  shallowRef,
  watchEffect,
  type PropType,
} from "vue"
import type { Room } from "../../../src/client/index.ts"
import {
  RollcallProvider,
  useBroadcast,
  useEvent,
  useOnline,
  useOthers,
  useRoom,
  useSelf,
  useStatus,
  useUpdate,
  useUser,
  useUsers,
} from "../../../src/client/bindings/vue.ts"
import type { Meta, Shown } from "../../contracts/binding-app.ts"
import { count, friendsText, providerProps, remember, rememberFriends, type Recorder } from "../recorder.ts"

const recorderProp = { type: Object as PropType<Recorder>, required: true } as const

/** Counts after each render that is shown. */
function useCount(recorder: Recorder, name: string): void {
  onMounted(() => count(recorder, name))
  onUpdated(() => count(recorder, name))
}

const User = defineComponent({
  props: { room: Object as PropType<Room<Meta>>, of: { type: String, required: true }, recorder: recorderProp },
  setup(props) {
    useCount(props.recorder, props.of)
    const texts = useUser(
      () => props.room,
      () => props.of,
      (user) => [user?.metas[0].name, user?.metas[0].color],
    )
    return () => h("li", { class: "user" }, texts.value.join(" "))
  },
})

const panelProps = { shown: { type: Object as PropType<Shown>, required: true }, recorder: recorderProp } as const

function usePanel(
  { shown, recorder }: { readonly shown: Shown; readonly recorder: Recorder },
  props: { readonly shown: Shown },
) {
  useCount(recorder, "panel")
  const mine = reactive<Meta>({ name: shown.user })
  recorder.mutate = (patch) => Object.assign(mine, patch)
  const room = useRoom<Meta>(
    () => props.shown.topic,
    () => ({
      ...(props.shown.me && { me: props.shown.isMutable ? mine : { ...props.shown.me } }),
      params: { from: "page" },
      initialUsers: shown.initialUsers?.slice(),
    }),
  )
  const status = useStatus(room)
  const keys = useUsers(room, (users) =>
    users
      .map(({ key }) => key)
      .filter((key) => key !== props.shown.hidden)
      .sort(),
  )
  const others = useOthers(room, (users) => users.map(({ key }) => key))
  const self = useSelf(room, (user) => user?.key)
  const update = useUpdate(room)
  const broadcast = useBroadcast(room)
  useEvent<object>(room, "cursor", (payload) => recorder.cursors.push({ ...payload, seenBy: props.shown.me?.name }))
  onMounted(() => {
    watchEffect(() => {
      if (room.value) Object.assign(recorder, { update, broadcast })
    })
    watchEffect(() => remember(recorder, keys.value), { flush: "post" })
  })
  const render = () =>
    h("section", { class: "panel" }, [
      h("p", { class: "status" }, status.value),
      h("p", { class: "keys" }, keys.value.join(" ")),
      h("p", { class: "others" }, others.value.join(" ")),
      h("p", { class: "self" }, self.value),
      h(
        "ul",
        keys.value.map((key) => h(User, { key, of: key, ...(room.value && { room: room.value }), recorder })),
      ),
    ])
  return { room, render }
}

const Panel = defineComponent({
  props: panelProps,
  setup: (props) => usePanel({ ...props }, props).render,
})

const WaitingPanel = defineComponent({
  props: panelProps,
  async setup(props) {
    const { room, render } = usePanel({ ...props }, props)
    await room.value?.ready
    return render
  },
})

const Friend = defineComponent({
  props: { of: { type: String, required: true }, recorder: recorderProp },
  setup(props) {
    useCount(props.recorder, `friend ${props.of}`)
    const status = useOnline(
      () => [props.of],
      (online) => online.get(props.of),
    )
    return () => h("li", { class: "friend" }, `${props.of} ${status.value ?? ""}`)
  },
})

const Friends = defineComponent({
  props: { asks: { type: Array as PropType<readonly string[]>, required: true }, recorder: recorderProp },
  setup(props) {
    useCount(props.recorder, "friends")
    const online = useOnline(() => [...props.asks])
    onMounted(() => watchEffect(() => rememberFriends(props.recorder, friendsText(online.value)), { flush: "post" }))
    return () => h("p", { class: "friends" }, friendsText(online.value))
  },
})

const Errors = defineComponent({
  props: { recorder: recorderProp },
  setup({ recorder }, { slots }) {
    const isFailed = shallowRef(false)
    onErrorCaptured((error) => {
      recorder.errors.push(String(error))
      isFailed.value = true
      return false
    })
    return () => (isFailed.value ? h("p", { class: "failed" }, "failed") : slots["default"]?.())
  },
})

export const App = defineComponent({
  props: { first: { type: Object as PropType<Shown>, required: true }, recorder: recorderProp },
  setup({ first, recorder }) {
    const shown = shallowRef(first)
    recorder.show = (change) => (shown.value = { ...shown.value, ...change })
    const panel = (index: number) =>
      shown.value.suspends
        ? h(Suspense, { key: index }, { default: () => h(WaitingPanel, { shown: shown.value, recorder }) })
        : h(Panel, { key: index, shown: shown.value, recorder })
    const panels = () => Array.from({ length: shown.value.panels }, (_, index) => panel(index))
    const friends = (asks: readonly string[]) => [
      h(Friends, { asks, recorder }),
      ...asks.map((key) => h(Friend, { key: `friend ${key}`, of: key, recorder })),
    ]
    const provider = () =>
      h(RollcallProvider, providerProps(recorder, shown.value.user), {
        default: () => [...panels(), ...(shown.value.asks ? friends(shown.value.asks) : [])],
      })
    return () => h(Errors, { recorder }, { default: () => [shown.value.isMounted ? provider() : undefined] })
  },
})
